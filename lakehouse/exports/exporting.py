"""An export put together from configuration, and run: the place, the ledger, the gate's inputs, the gold it reads."""

import gc
import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse.actions.destinations import Bucket, Folder, Mysql, Postgres, Topic, Webhook, read_place
from lakehouse.actions.destinations import Place as Destination
from lakehouse.config import Config
from lakehouse.config.paths import DESTINATIONS, EXPERIMENTS, EXPORTS
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import inputs_at_rest
from lakehouse.errors import BusyError, ExportError
from lakehouse.experiments.definitions import Experiments, read_experiments
from lakehouse.exports.batch_run import BatchRun
from lakehouse.exports.declaration import Export, export_named, read_exports
from lakehouse.exports.disowned import Disowned
from lakehouse.exports.heard import await_heard
from lakehouse.exports.ledger import Ledger, holds_rows
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.bucket import BucketPlace
from lakehouse.exports.places.files import FilePlace, WholeFile
from lakehouse.exports.places.http import HttpPlace
from lakehouse.exports.places.mysql import MysqlPlace
from lakehouse.exports.places.place import Place
from lakehouse.exports.places.postgres import PostgresPlace
from lakehouse.exports.places.topic import TopicPlace
from lakehouse.exports.plan import plan_of
from lakehouse.exports.run import ExportRun, Patience
from lakehouse.exports.shapes import SHAPES
from lakehouse.exports.source import Gold
from lakehouse.exports.whole_run import WholeRun
from lakehouse.lake.lock import writer
from lakehouse.machine import local_folder
from lakehouse.online.engines import open_kept_store
from lakehouse.online.store import OnlineStore

_TURN_SECONDS, _LOOK_SECONDS = 90.0, 0.5
_SHAPE = "rows"  # of a webhook that names none


@dataclass(frozen=True, kw_only=True)
class Files:
    """What an owner edits."""

    exports: Path = EXPORTS
    destinations: Path = DESTINATIONS
    experiments: Path = EXPERIMENTS


@dataclass(frozen=True, kw_only=True)
class Report:
    """counts: of ops.export_runs; of a dry run, of its plan. kept_back, refused: reason -> rows."""

    run_id: str
    counts: Mapping[str, int]
    kept_back: Counter[str]
    refused: Counter[str]


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """What every export of a process is run with. `environ`: secrets of destinations. `clock` and `sleep` are all the time there is."""

    config: Config
    environ: Mapping[str, str]
    files: Files
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    @property
    def root(self) -> Path:
        """Of the lake, whether there is one already. Raises ExportError: it is on no disk of this machine."""
        folder = local_folder(self.config.lake.root)
        if folder is None:
            raise self._no_lake()
        return folder

    @property
    def folder(self) -> Path:
        """Of the lake. Raises ExportError: it is none, or on no disk of this machine."""
        if not (self.root / "gold").is_dir():
            raise self._no_lake()
        return self.root

    def _no_lake(self) -> ExportError:
        root = self.config.lake.root
        return ExportError(f"lake.root: got '{root}', expected a lake on this machine. Set STITCHLAKE__LAKE__ROOT")

    def permission(self, export: Export, gold: Gold, kept: OnlineStore, experiments: Experiments) -> Permission:
        """The gate, as the export declares whom it tells of."""
        inputs = inputs_at_rest(experiments, consent=Defaults.of(self.config.consent))
        return Permission(gold, kept, inputs, purpose=export.purpose, use=export.use, clock=self.clock)

    def destination(self, export: Export) -> Destination:
        """As it is declared now. Raises ConfigError: it is not, or a secret of it is missing."""
        return read_place(self.files.destinations, self.environ, export.to)

    def secret(self, export: Export, destination: Destination) -> bytes:
        """Of the hashes of its rows. Of what goes to another place, or looks otherwise there, every row is another, defaults included."""
        shape = export.shape or _SHAPE
        told = repr((export.to, destination.address, export.into, shape, sorted(export.options.items())))
        return hashlib.sha256(f"stitchlake export\0{self.config.privacy.hmac_key}\0{told}".encode()).digest()

    def run(self, export: Export, ledger: Ledger, permission: Permission, place: Place | WholeFile) -> ExportRun:
        """One that has not begun."""
        settings = self.config.actions
        patience = Patience(
            tries=settings.max_attempts, first=settings.backoff_seconds, most=settings.backoff_max_seconds
        )
        told: dict[str, Any] = {
            **{"name": export.name, "run_id": f"{self.clock():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"},
            **{"ledger": ledger, "permission": permission, "patience": patience},
            **{"clock": self.clock, "sleep": self.sleep},
        }
        return WholeRun(place=place, **told) if isinstance(place, WholeFile) else BatchRun(place=place, **told)

    @contextmanager
    def alone(self, export: Export, *, waits: bool) -> Iterator[None]:
        """Hold the export. `waits`: for whoever keeps it up to date beside streams, and lets go of it again and again.

        Raises:
            BusyError: another process runs it.
        """
        with ExitStack() as held:
            waited = 0.0
            while True:
                try:
                    for name in (export.name, *export.was):
                        held.enter_context(writer(self.config, part=f"export.{name}"))
                    break
                except BusyError:
                    if not waits or waited >= _TURN_SECONDS:
                        raise
                    self.sleep(_LOOK_SECONDS)
                    waited += _LOOK_SECONDS
            yield

    @contextmanager
    def place(self, export: Export, destination: Destination) -> Iterator[Place | WholeFile]:
        """Where its rows go, not opened yet. Raises ExportError: that is not declared as it must be."""
        place = self._place(export, destination)
        with closing(place):
            yield place

    def _place(self, export: Export, destination: Destination) -> Place | WholeFile:
        if export.shape is not None and not isinstance(destination, Webhook):
            raise ExportError(
                f"export {export.name}: shape: got {export.shape}, expected none but for a webhook. Leave it out"
            )
        if isinstance(destination, Folder | Bucket):
            self._refuse_shared(export)
        settings = self.config.actions
        match destination:
            case Folder():
                return FilePlace(destination.path, export.into)
            case Bucket():
                return BucketPlace(destination, export.into, timeout_seconds=settings.timeout_seconds)
            case Postgres():
                return PostgresPlace(
                    destination, export.into, most_rows=export.batch_rows, timeout_seconds=settings.timeout_seconds
                )
            case Mysql():
                return MysqlPlace(
                    destination, export.into, most_rows=export.batch_rows, timeout_seconds=settings.timeout_seconds
                )
            case Topic():
                return TopicPlace(destination, self.config.kafka, most_rows=export.batch_rows, clock=self.clock)
            case Webhook():
                return HttpPlace(
                    destination,
                    SHAPES[export.shape or _SHAPE],
                    export.options,
                    export.into,
                    most_rows=export.batch_rows,
                    per_second=settings.per_second,
                    timeout_seconds=settings.timeout_seconds,
                    clock=self.clock,
                    sleep=self.sleep,
                )

    def _refuse_shared(self, export: Export) -> None:
        """A file is replaced as a whole: of two exports into one each would take out what the other wrote."""
        declared = read_exports(self.files.exports, self.config.consent.purposes).values()
        others = (one for one in declared if one.is_enabled and one.name != export.name)
        for one in others:
            if (one.to, one.into) == (export.to, export.into):
                raise ExportError(
                    f"export {export.name}: into: got '{export.into}', which {one.name} writes, too, expected a file of its own. Name another"
                )


def run_export(
    name: str, exporting: Exporting, *, is_full: bool = False, is_tried: bool = False, believes_gold: bool = False
) -> Report:
    """Run the export of that name once.

    `is_tried`: only say what would be done. `believes_gold`: also while events wait to be read; else it waits for them.

    Raises:
        ConfigError: no such export, or something in a file is wrong.
        BusyError: a run of it is under way.
        ExportError: it cannot be done; what was done is in the ledger.
        StoreError, BrokerError, DestinationAwayError: nobody can say what people said last; nothing is sent.
    """
    config, folder = exporting.config, exporting.folder
    export = export_named(exporting.files.exports, name, config.consent.purposes)
    destination = exporting.destination(export)
    with (
        _young_garbage_alone(),
        exporting.alone(export, waits=export.is_continuous),
        exporting.place(export, destination) as place,
        closing(open_kept_store(config)) as kept,
    ):
        if not (is_tried or believes_gold):
            await_heard(folder, config.kafka, sleep=exporting.sleep)
        gold, ledger = Gold(folder), Ledger(config, name, export.was)
        permission = exporting.permission(export, gold, kept, read_experiments(exporting.files.experiments))
        held, secret = ledger.held(), exporting.secret(export, destination)
        disowned = Disowned(gold, config)
        asked = export, gold, held, permission, disowned
        region = config.events.default_region
        plan = plan_of(*asked, region=region, secret=secret, is_full=is_full, takes_all=place.takes_all)
        run = exporting.run(export, ledger, permission, place)
        if is_tried:
            return Report(run_id=run.run_id, counts=plan.counts(), kept_back=plan.reasons, refused=Counter())
        run.is_full = is_full
        done = run.run(plan, holds_rows=holds_rows(held))
        return Report(run_id=run.run_id, counts=done, kept_back=plan.reasons, refused=run.reasons)


@contextmanager
def _young_garbage_alone() -> Iterator[None]:
    """Let Python look for cycles among what was made last, and not among all there is: rows make none, and of so many rows it takes longer to look through
    them again and again than to send them.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
