"""An export put together from configuration, and run: the place, the ledger, the gate's inputs, the gold it reads."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lakehouse.actions.destinations import Folder, Postgres, Topic, Webhook, read_place
from lakehouse.config import Config
from lakehouse.config.paths import DESTINATIONS, EXPERIMENTS, EXPORTS
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import inputs_at_rest
from lakehouse.errors import ExportError
from lakehouse.experiments.definitions import read_experiments
from lakehouse.exports.declaration import Export, export_named
from lakehouse.exports.heard import await_heard
from lakehouse.exports.ledger import Ledger
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.files import FilePlace
from lakehouse.exports.places.http import HttpPlace
from lakehouse.exports.places.place import Place
from lakehouse.exports.places.postgres import PostgresPlace
from lakehouse.exports.places.topic import TopicPlace
from lakehouse.exports.plan import plan_of
from lakehouse.exports.run import ExportRun, Patience
from lakehouse.exports.shapes import SHAPES
from lakehouse.exports.source import Gold
from lakehouse.lake.lock import writer
from lakehouse.machine import local_folder
from lakehouse.online.engines import open_kept_store


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


def run_export(
    name: str,
    config: Config,
    environ: Mapping[str, str],
    *,
    is_full: bool,
    is_tried: bool,
    believes_gold: bool,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    files: Files,
) -> Report:
    """Run the export of that name once.

    `is_tried`: only say what would be done. `believes_gold`: also while events wait to be read; else it waits for them.

    Raises:
        ConfigError: no such export, or something in a file is wrong.
        BusyError: a run of it is under way.
        ExportError: it cannot be done; what was done is in the ledger.
        StoreError, BrokerError, DestinationAwayError: nobody can say what people said last; nothing is sent.
    """
    export = export_named(files.exports, name, config.consent.purposes)
    folder = local_folder(config.lake.root)
    if folder is None or not (folder / "gold").is_dir():
        raise ExportError(
            f"lake.root: got '{config.lake.root}', expected a lake on this machine. Set STITCHLAKE__LAKE__ROOT"
        )
    settings = config.actions
    patience = Patience(tries=settings.max_attempts, first=settings.backoff_seconds, most=settings.backoff_max_seconds)
    with (
        writer(config, part=f"export.{name}"),
        _place(export, config, environ, files, clock, sleep) as place,
        closing(open_kept_store(config)) as kept,
    ):
        if not (is_tried or believes_gold):
            await_heard(folder, config.kafka, sleep=sleep)
        gold, ledger = Gold(folder), Ledger(config, name)
        inputs = inputs_at_rest(read_experiments(files.experiments), consent=Defaults.of(config.consent))
        permission = Permission(gold, kept, inputs, purpose=export.purpose, use=export.use, clock=clock)
        # Of what goes to another place every row is another.
        place_told = repr((export.to, export.into, export.shape, sorted(export.options.items())))
        secret = hashlib.sha256(f"stitchlake export\0{config.privacy.hmac_key}\0{place_told}".encode()).digest()
        held = ledger.held()
        plan = plan_of(export, gold, held, permission, secret=secret, is_full=is_full, takes_all=place.takes_all)
        run_id = f"{clock():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        if is_tried:
            return Report(run_id=run_id, counts=plan.counts(), kept_back=plan.reasons, refused=Counter())
        run = ExportRun(
            name=name,
            run_id=run_id,
            ledger=ledger,
            permission=permission,
            place=place,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        done = run.run(plan, is_full=is_full)
        return Report(run_id=run_id, counts=done, kept_back=plan.reasons, refused=run.reasons)


@contextmanager
def _place(
    export: Export,
    config: Config,
    environ: Mapping[str, str],
    files: Files,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Iterator[Place]:
    destination = read_place(files.destinations, environ, export.to)
    if export.shape is not None and not isinstance(destination, Webhook):
        raise ExportError(
            f"export {export.name}: shape: got {export.shape}, expected none but for a webhook. Leave it out"
        )
    settings = config.actions
    place: Place
    match destination:
        case Folder():
            place = FilePlace(destination.path, export.into)
        case Postgres():
            place = PostgresPlace(
                destination, export.into, most_rows=export.batch_rows, timeout_seconds=settings.timeout_seconds
            )
        case Topic():
            place = TopicPlace(destination, config.kafka, most_rows=export.batch_rows, clock=clock)
        case Webhook():
            place = HttpPlace(
                destination,
                SHAPES[export.shape or "rows"],
                export.options,
                export.into,
                most_rows=export.batch_rows,
                per_second=settings.per_second,
                timeout_seconds=settings.timeout_seconds,
                clock=clock,
                sleep=sleep,
            )
    with closing(place):
        yield place
