"""The micro-batch that was begun last, known outside of its checkpoint: so that it is finished when that is gone, too.

Spark repeats a micro-batch that did not end, as long as it has its checkpoint. A new one holds back what silver has (known_records.py). So if
the driver died between silver and the tables of profiles, nobody would give them the events of that micro-batch. Therefore the lake notes, before a
micro-batch writes anything, which it is and where it begins. Before a new checkpoint reads on, that micro-batch is finished as its replay would
finish it: under its own transaction, so that what was added once is not added again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.events.declared_properties import with_declared
from lakehouse.events.event_rows import Declarations
from lakehouse.events.parse import parse
from lakehouse.lake import checkpoint, stamp
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction, application
from lakehouse.queries.known_records import ends_of, furthest, is_news
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS

FOLDER = "_begun"  # in the lake: of each query the micro-batch that it began last

Read = Callable[[Ends, Ends], DataFrame]
"""The records from where each partition is to begin to where it is to end, as far as they are there still."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A micro-batch. begins: what silver has from there on is of this micro-batch, for no other was begun after it."""

    once: Transaction
    begins: Ends


def begin(lake: Lake, query: str, held: Ends, once: Transaction) -> None:
    """Note a micro-batch of which nothing is written yet. `held`: how far silver reached before the checkpoint."""
    path, before = lake.checkpoint(query), once.batch_id - 1
    note(
        lake,
        query,
        Begun(once=once, begins=held if before < 0 else furthest([held, checkpoint.end_of(lake.spark, path, before)])),
    )


def note(lake: Lake, query: str, begun: Begun) -> None:
    """Let it be the one that was begun last."""
    said = {"application": begun.once.application, "batch_id": begun.once.batch_id, "begins": begun.begins}
    stamp.restamp(f"{lake.root}/{FOLDER}", query, json.dumps(said), lake.spark)


def forget(lake: Lake, query: str) -> None:
    """Of whoever has replaced silver by something that is to be rebuilt from as a whole."""
    stamp.unstamp(f"{lake.root}/{FOLDER}", query, lake.spark)


def last_batch(lake: Lake, query: str) -> Transaction | None:
    """The batch that silver.events took in last: what follows from silver has its events."""
    begun = _begun(lake, query)
    if begun is None:
        return None
    batch_id = lake.last_batch(SILVER_EVENTS, begun.once.application)
    return None if batch_id < 0 else Transaction(application=begun.once.application, batch_id=batch_id)


def is_under_way(lake: Lake, query: str, table: Table) -> bool:
    """Whether `table`, which is added to once, may still get something of the micro-batch that was begun last."""
    begun = _begun(lake, query)
    return begun is not None and not lake.has_had(table, begun.once) and not _is_committed(lake, query, begun.once)


def reached(lake: Lake, query: str, table: Table) -> Ends:
    """How far in the topic `table` has what silver.events has, to the record. No micro-batch may run meanwhile.

    One that was left in the middle will be gone through again, and is not in it. One that ended and brought the table nothing is noted as taken, so that
    nobody goes through it again.
    """
    begun = _begun(lake, query)
    if begun is not None and not lake.has_had(table, begun.once):
        if not _is_committed(lake, query, begun.once):
            return begun.begins
        lake.note_taken(table, begun.once)
    return ends_of(lake.read(SILVER_EVENTS))


def _is_committed(lake: Lake, query: str, once: Transaction) -> bool:
    path = lake.checkpoint(query)
    run, last = checkpoint.run(lake.spark, path), checkpoint.last_committed(lake.spark, path)
    return (
        run is not None and application(query, run) == once.application and last is not None and last >= once.batch_id
    )


def left_behind(lake: Lake, query: str) -> Begun | None:
    """The micro-batch that was begun last, if nobody will go on with its checkpoint."""
    begun, run = _begun(lake, query), checkpoint.run(lake.spark, lake.checkpoint(query))
    return None if begun is None or (run is not None and application(query, run) == begun.once.application) else begun


def events_of(lake: Lake, begun: Begun, read: Read, declared: Declarations) -> DataFrame | None:
    """What silver has of the micro-batch, with `traits`, `faults` and `source`, which only the records say; None = nothing.

    `is_read`: true; null where the record is not there any more.
    """
    held = lake.read(with_declared(SILVER_EVENTS, declared.properties)).where(is_news(begun.begins))
    ends = ends_of(held)
    if not ends:
        return None
    said = parse(read(begun.begins, ends), lake.config, declared)
    place = list(BRONZE_EVENTS.key)
    return held.join(
        said.select(*place, "traits", "faults", "source", F.lit(True).alias("is_read")), on=place, how="left"
    )


def _begun(lake: Lake, query: str) -> Begun | None:
    text = stamp.read(f"{lake.root}/{FOLDER}", query, lake.spark)
    if not text:  # not written to its end on a file system that cannot replace a file at once: the one before had ended
        return None
    said = json.loads(text)
    once = Transaction(application=said["application"], batch_id=said["batch_id"])
    return Begun(once=once, begins=said["begins"])
