"""The telling of who entered and left, put together from configuration: the gate's inputs, the topic, whether gold is up to date."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from lakehouse.audiences.declaration import DeclaredAudience
from lakehouse.audiences.telling import AudienceTelling, Change
from lakehouse.config.paths import EXPERIMENTS
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import DecisionInputs, inputs_at_rest
from lakehouse.decisions.experiment_unit import Units
from lakehouse.decisions.gate import Permitted, Refused, Use
from lakehouse.decisions.offers import Purpose
from lakehouse.errors import ConfigError
from lakehouse.experiments.definitions import Experiments, read_experiments
from lakehouse.exports.heard import is_heard
from lakehouse.exports.permission import Permission
from lakehouse.kafka import admin
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import KeptProducer
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake
from lakehouse.machine import local_folder
from lakehouse.online.store import OnlineStore
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS
from lakehouse.tables.contract import Table

MOST_WAITING = timedelta(seconds=30)
"""A micro-batch whose first record waited no longer is up to date: what people said since waits as long at most (docs/decisions/0068)."""
log = logging.getLogger("stitchlake.audiences")


def teller(
    lake: Lake,
    declared: Mapping[str, DeclaredAudience],
    open_kept: Callable[[], OnlineStore],
    *,
    clock: Callable[[], datetime],
) -> AudienceTelling | None:
    """Of the process that writes the lake. None = no topic is configured. `open_kept`: opens what lakehouse/online/engines.py says of it."""
    if not lake.config.audiences.topic:
        return None
    lake.create(OPS_AUDIENCE_MEMBERS)
    topic = AudienceTopic(lake)
    gates = Gates(lake, open_kept(), clock)
    return AudienceTelling(
        lake, declared, look=gates.look, send=topic.send, heard=Hearing(lake, clock).is_heard, clock=clock
    )


class AudienceTopic:
    """The topic `audiences.topic`, made when it is first needed."""

    def __init__(self, lake: Lake) -> None:
        self._kafka, self._topic = lake.config.kafka, lake.config.audiences.topic
        self._producer = KeptProducer(self._kafka, self._topic)
        self._is_there = False

    def send(self, left: Sequence[Message], entered: Sequence[Permitted[Message]]) -> None:
        """Raises BrokerError: not all of it was acknowledged."""
        if not self._is_there:
            admin.create_topic(self._kafka, self._topic, self._kafka.partitions)
            self._is_there = True
        self._producer.send([*left, *(one.what for one in entered)])


class Hearing:
    """Whether gold holds what people said last."""

    def __init__(self, lake: Lake, clock: Callable[[], datetime]) -> None:
        self._folder, self._kafka, self._clock = local_folder(lake.config.lake.root), lake.config.kafka, clock

    def is_heard(self, record: BatchRecord | None) -> bool:
        """record: of the micro-batch that gold holds now. Raises BrokerError: nobody can say."""
        first_arrival = None if record is None else record.first_arrival
        if first_arrival is not None and self._clock() - first_arrival <= MOST_WAITING:
            return True
        batch_id = None if record is None or first_arrival is None else record.batch_id
        return self._folder is not None and is_heard(self._folder, self._kafka, batch_id=batch_id)


class Gates:
    """The one gate, asked with what gold and the service say of some profiles. conf/experiments.yaml is read again when it changes."""

    def __init__(
        self, lake: Lake, kept: OnlineStore, clock: Callable[[], datetime], experiments: Path = EXPERIMENTS
    ) -> None:
        self._lake, self._kept, self._clock, self._path = lake, kept, clock, experiments
        self._text: bytes | None = None
        self._experiments: Experiments | None = None

    def look(self, profile_ids: Collection[str]) -> "Permissions":
        """Raises StoreError: nobody knows what they said."""
        inputs = inputs_at_rest(self._in_force(), consent=Defaults.of(self._lake.config.consent))
        return Permissions(self._lake, self._kept, inputs, profile_ids, self._clock)

    def _in_force(self) -> Experiments | None:
        """A file that was once readable stays in force."""
        try:
            text = self._path.read_bytes()
            if text != self._text:
                self._experiments, self._text = read_experiments(self._path), text
        except (OSError, ConfigError) as error:
            log.warning("%s: cannot be read, those of before stay in force: %s", self._path.name, error)
        return self._experiments


class Permissions:
    """Of some profiles, for every purpose and use that is asked for."""

    def __init__(
        self,
        lake: Lake,
        kept: OnlineStore,
        inputs: DecisionInputs,
        profile_ids: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._tables, self._kept, self._inputs = LakeTables(lake), kept, inputs
        self._profile_ids, self._clock = profile_ids, clock
        self._looked: dict[tuple[Purpose, Use], tuple[Permission, Mapping[str, Units]]] = {}

    def permit(self, change: Change, declared: DeclaredAudience) -> Permitted[Change] | Refused:
        """Let it pass, or say why not. Raises StoreError: nobody knows what they said."""
        permission, units = self._of(declared.purpose, declared.use)
        return permission.permit(change, change.profile_id, units)

    def _of(self, purpose: Purpose, use: Use) -> tuple[Permission, Mapping[str, Units]]:
        """The gate for this, having looked at all of them, and as whom experiments count them."""
        known = self._looked.get((purpose, use))
        if known is None:
            permission = Permission(self._tables, self._kept, self._inputs, purpose=purpose, use=use, clock=self._clock)
            permission.look(self._profile_ids)
            known = self._looked[purpose, use] = permission, permission.units(self._profile_ids)
        return known


class LakeTables:
    """The tables of a lake as `Permission` reads them."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def version(self, table: Table) -> str:
        return self._lake.version(table)

    def rows(self, table: Table, columns: Sequence[str]) -> pa.Table:
        return pa.Table.from_batches(self._lake.batches(table, columns=columns))

    def rows_with(self, table: Table, columns: Sequence[str], column: str, values: Collection[str]) -> pa.Table:
        if column == table.key[0]:
            return row_runs.rows_of(self._lake, table, values, columns=columns)
        return self._lake.rows_with(table, column, values, columns=columns)
