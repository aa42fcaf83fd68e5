"""An export that is kept up to date while streams run: whoever changed in gold is compared and sent, within seconds, and nobody else is read.

Each look asks the feed who may have changed, and the service whom it was told to leave alone. They are planned and sent as in a run by hand: one
ledger, one gate, one place. A run lasts some seconds, with several plans in it, and is then folded and ended, so that a run by hand has its turn.

How far the feed was looked at is written down once all that it told of was dealt with. A process that is killed goes on there; what it had
sent and not written down is in the journal. Where nobody knows who changed, everybody is compared: at the first start, after anything was
declared otherwise that decides about everybody alike, or after the feed was lost.

While words wait to be read, whoever is owed is planned once: what is to be removed goes, and the rest is planned when all is heard.

What fails is tried again, after 1, 2, 4 seconds and so on up to a minute. Nothing waits for it but the export itself.
"""

import hashlib
import json
import logging
import traceback
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.consent.defaults import Defaults
from lakehouse.errors import BrokerError, BusyError, ConfigError, ExportError, StitchlakeError
from lakehouse.experiments.definitions import Experiments, is_running, read_experiments
from lakehouse.exports import position
from lakehouse.exports.declaration import Export
from lakehouse.exports.disowned import Disowned
from lakehouse.exports.elapsed import has_passed
from lakehouse.exports.exporting import Exporting
from lakehouse.exports.feed import Feed
from lakehouse.exports.heard import Hearing
from lakehouse.exports.ledger import Ledger, holds_rows, noted_in
from lakehouse.exports.meters import ExportMeters
from lakehouse.exports.owed import Owed
from lakehouse.exports.permission import Permission
from lakehouse.exports.plan import Plan, plan_of, plan_of_some
from lakehouse.exports.run import ExportRun
from lakehouse.exports.source import Gold
from lakehouse.online.store import OnlineStore

RUN = timedelta(seconds=15)
MOST_NOTED = 100_000  # steps of rows: then a run is folded, however young it is
LONGEST_PAUSE = timedelta(seconds=60)
_UNHEARD_PAUSE = timedelta(seconds=2)
_TRIES, _MOST_PAUSE_SECONDS = 2, 5.0  # of a batch: beyond that the run ends, and the export rests
log = logging.getLogger("stitchlake.exports")


class _Run(NamedTuple):
    """One that is open. held: what the ledger said before it."""

    resources: ExitStack
    began: datetime
    held: pa.Table
    run: ExportRun


class ContinuousExport:
    """One export, of one thread. `kept`: as of lakehouse/online/engines.py. `hearing`, `kept`, `meters`: the same for all of a process."""

    def __init__(
        self, export: Export, exporting: Exporting, hearing: Hearing, kept: OnlineStore, meters: ExportMeters
    ) -> None:
        """Raises ExportError: no lake. ConfigError: the experiments cannot be read."""
        self.name = export.name
        self._export, self._exporting, self._kept, self._meters = export, exporting, kept, meters
        self._clock, self._root = exporting.clock, str(exporting.folder)
        self._gold = Gold(exporting.folder)
        self._disowned = Disowned(self._gold, exporting.config)
        self._hearing = hearing
        self._text: bytes | None = None
        self._experiments = self._read()
        self._secret = self._secret_now()
        self._declared = self._digest()
        self._permission = self._gate()
        found = position.read(self._root, self.name)
        self._feed = Feed(self._gold, export.tables, found.position)
        self._owed = Owed(everybody=found.declared != self._declared)
        self._suppressed: frozenset[str] = frozenset()
        self._run: _Run | None = None
        self._failures, self._told = 0, ""
        self._rest_began: datetime | None = None
        self._rest = timedelta(0)
        meters.began(self.name)

    def step(self) -> None:
        """Look once, and send what is to be sent. Never fails: what does is told, and tried again later."""
        if not has_passed(self._rest_began, self._clock(), self._rest):
            return
        self._rest_began = None
        try:
            self._look()
            while self._owed:
                goes_on = self._deal()
                self._end_if_long()
                if not goes_on:
                    self._pause(_UNHEARD_PAUSE)
                    break
            else:
                self._meters.compared(self.name, self._clock())
                self._failures, self._told = 0, ""
            self._end_if_long()
        except BusyError:
            self._pause(_UNHEARD_PAUSE)  # a run by hand has it
        except Exception as error:  # whatever it is, another try may go well, and the other exports go on
            self._fail(error)
        finally:
            self._meters.waits(self.name, len(self._owed.profiles))

    def close(self) -> None:
        """End what is under way."""
        self._end_somehow(None)

    def _look(self) -> None:
        """Who may have changed since the last look is owed."""
        self._hearing.note()
        self._look_at_experiments()
        suppressed = self._permission.suppressed_since()
        changed = self._feed.look()  # last: it tells of each only once
        if changed is None:
            self._owed.add_everybody()
        self._owed.add((changed or set()) | (suppressed ^ self._suppressed))
        self._suppressed = suppressed

    def _look_at_experiments(self) -> None:
        """Whom they keep something from changes with the file, and with time. A file that was once readable stays in force."""
        try:
            self._experiments = self._read()
        except (ConfigError, OSError) as error:
            log.warning("experiments cannot be read, those of before stay in force: %s", error)
        if (declared := self._digest()) != self._declared:
            self._owed.add_everybody()
            self._end(None)  # what is under way asks the gate of before
            self._declared, self._permission = declared, self._gate()

    def _read(self) -> Experiments:
        """As they are declared now."""
        text = self._exporting.files.experiments.read_bytes()
        if text == self._text:
            return self._experiments
        self._text = text
        return read_experiments(self._exporting.files.experiments)

    def _deal(self) -> bool:
        """Compare some of those who are owed, or everybody, and send what is to be sent; whether there is more to be done at once.

        What is to be removed is removed in any case.
        """
        if self._owed.is_planned and not self._is_heard():
            return False
        opened = self._run or self._open()
        some = self._owed.next()
        plan = self._plan(opened, some)
        is_heard = plan.is_idle or self._is_heard()
        if not plan.is_idle and (is_heard or plan.removals().changes):
            stopped = opened.run.take(plan, holds_rows=holds_rows(opened.held), removes_only=not is_heard)
            if stopped is not None:
                raise stopped
        self._owed.dealt_with(some, is_heard=is_heard)
        if some is None:
            self._end(None)  # so many rows are not kept in memory
        return is_heard or not self._owed.is_planned

    def _is_heard(self) -> bool:
        """A broker that is away cannot say what people said last: then nothing is sent, and what is to go goes all the same."""
        try:
            return self._hearing.is_heard()
        except BrokerError as error:
            self._tell(str(error))
            return False

    def _plan(self, opened: _Run, some: Collection[str] | None) -> Plan:
        asked = self._export, self._gold, noted_in(opened.held, opened.run.noted), self._permission, self._disowned
        region = self._exporting.config.events.default_region
        if some is not None:
            return plan_of_some(*asked, some, region=region, secret=self._secret)
        opened.run.of_few = False
        return plan_of(*asked, region=region, secret=self._secret, is_full=False, takes_all=False)

    def _open(self) -> _Run:
        """Take the export. Whatever an earlier run left open is owed."""
        with ExitStack() as resources:
            resources.enter_context(self._exporting.alone(self._export, waits=False))
            destination = self._exporting.destination(self._export)
            if (secret := self._exporting.secret(self._export, destination)) != self._secret:
                self._secret = secret
                self._declared = self._digest()
                self._owed.add_everybody()
            place = resources.enter_context(self._exporting.place(self._export, destination))
            if place.takes_all:
                raise ExportError(
                    f"export {self.name}: is_continuous: got true, expected false where a file is replaced as a whole. Put the export into schedule.yaml"
                )
            ledger = Ledger(self._exporting.config, self.name, self._export.was)
            held = ledger.held()
            is_open = pc.is_in(held["state"], value_set=pa.array(["sending", "removing"]))
            self._owed.add(held.filter(is_open)["profile_id"].to_pylist())
            run = self._exporting.run(self._export, ledger, self._permission, place)
            run.of_few = True
            run.patience = replace(run.patience, tries=min(_TRIES, run.patience.tries), most=_MOST_PAUSE_SECONDS)
            self._run = _Run(resources.pop_all(), self._clock(), held, run)
        return self._run

    def _end(self, stopped: StitchlakeError | None) -> None:
        """End the run, if one is open, and let go of the export; write down how far the feed was looked at, if nothing is owed of it."""
        opened, self._run = self._run, None
        if opened is not None:
            with opened.resources:
                self._meters.ended(self.name, opened.run.end(stopped))
        if not self._owed:
            position.write(self._root, self.name, position.Kept(self._feed.position, self._declared))

    def _end_if_long(self) -> None:
        """So that its journal is folded, and a run by hand has its turn."""
        if self._run is not None and (
            has_passed(self._run.began, self._clock(), RUN) or len(self._run.run.noted) >= MOST_NOTED
        ):
            self._end(None)

    def _fail(self, error: Exception) -> None:
        """Told in one line, once for each kind of failure. What is owed stays owed."""
        told = told_of(error, self.name)
        self._end_somehow(ExportError(told))
        self._pause(pause_after(self._failures))
        self._failures += 1
        self._meters.failed(self.name)
        self._tell(told)

    def _pause(self, pause: timedelta) -> None:
        self._rest_began, self._rest = self._clock(), pause

    def _tell(self, told: str) -> None:
        """Once, until something else is to be told or all is well."""
        if told != self._told:
            self._told = told
            log.warning("%s. Tried again until it goes well; %d profiles wait", told, len(self._owed.profiles))

    def _end_somehow(self, stopped: StitchlakeError | None) -> None:
        try:
            self._end(stopped)
        except Exception as error:
            log.warning("export %s: its run was not ended, the next one will: %s", self.name, type(error).__name__)

    def _gate(self) -> Permission:
        return self._exporting.permission(self._export, self._gold, self._kept, self._experiments)

    def _digest(self) -> str:
        """Of all that decides about everybody alike: the export, its place and our key, which experiments run, what holds where nobody was asked, whose addresses are disowned, where numbers without country code are at home."""
        now = self._clock()
        running = [one.model_dump_json() for one in self._experiments.by_name.values() if is_running(one, now)]
        consent = Defaults.of(self._exporting.config.consent)
        told = [
            *(self._export.model_dump_json(), sorted(running), self._experiments.holdout.model_dump_json()),
            *(
                consent.never_asked,
                sorted(consent.by_jurisdiction.items()),
                consent.purposes,
                self._disowned.in_force(),
                self._exporting.config.events.default_region,
            ),
        ]
        return hashlib.blake2b(json.dumps(told).encode(), digest_size=16, key=self._secret).hexdigest()

    def _secret_now(self) -> bytes:
        return self._exporting.secret(self._export, self._exporting.destination(self._export))


def pause_after(failures: int) -> timedelta:
    """Before the next try: 1, 2, 4 seconds and so on, and a minute at most."""
    return min(LONGEST_PAUSE, timedelta(seconds=2.0 ** min(failures, 6)))


def told_of(error: Exception, export: str) -> str:
    """One line for a log. Of what is not ours its kind and where it was: its text may hold a value of a row."""
    if isinstance(error, StitchlakeError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"export {export}: got {type(error).__name__}{where}, expected none. Tell whoever maintains Stitchlake"
