"""A lake that is streamed into without a broker: records of a folder, each call of `send` one micro-batch. It can erase people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lakehouse.events.event_rows import NOTHING_DECLARED
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.folders import folder
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.models.registry import Champions
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_step import OnlineStep
from lakehouse.people.erasure import Erasures
from lakehouse.people.held_back import HeldBack
from lakehouse.people.person import identifier_of
from lakehouse.people.requests import WAITING, keep, new
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.queries import events as query
from lakehouse.queries.events_batch import Parts
from lakehouse.tables.erasures import OPS_ERASURES
from lakehouse.tables.events import BRONZE_EVENTS
from tests.rows import ARRIVAL, Value, add_batch, stream
from tests.small_lake import copy_empty_tables

NOW = datetime(2025, 2, 10, tzinfo=UTC)


class World:
    """A lake that is streamed into, records from a folder."""

    def __init__(self, lake: Lake) -> None:
        copy_empty_tables(lake)
        self.lake = lake
        self.records = Path(lake.root).parent / "records"
        online = OnlineStep(lake, lambda: open_store(store_url(lake.config)))
        self.batch = MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, online=online)
        self.held = HeldBack(lake, NOTHING_DECLARED)
        self.erasures = Erasures(lake, self.batch, self.held, NOTHING_DECLARED, clock=lambda: NOW)
        self.upkeep = Upkeep(lake, ())  # of whoever streams

    def send(self, values: Sequence[Value], arrival: datetime = ARRIVAL) -> None:
        """As one micro-batch; bronze gets them first."""
        add_batch(self.records, values, arrival=arrival)
        sent = pq.read_table(max(self.records.iterdir()))
        renamed = {"timestamp": "kafka_timestamp", "arrived_at": "ingested_at"}
        told = sent.rename_columns([renamed.get(name, name) for name in sent.column_names])
        self.lake.add(told.select(BRONZE_EVENTS.column_names).cast(arrow_schema(BRONZE_EVENTS)), BRONZE_EVENTS)
        parts = Parts(size=lambda _: 1, held_back=self.held, between=self.erasures.between_batches, upkeep=self.upkeep)
        writer = query.writer(self.lake, stream(self.lake.spark, self.records), self.batch, parts=parts)
        writer.trigger(availableNow=True).start().awaitTermination()

    def ask(self, type_: str, value: str, *, every: bool = False) -> str:
        asked = new(identifier_of(self.lake.config, type_, value), by="dpo", reason="a letter", at=NOW, every=every)
        keep(folder(self.lake.root, WAITING, None), asked)
        return asked.erasure_id

    def receipt(self, erasure_id: str) -> dict[str, Any]:
        (row,) = self.lake.rows_with(OPS_ERASURES, "erasure_id", [erasure_id]).to_pylist()
        return dict(row)

    def column(self, table: Any, name: str) -> list[Any]:
        return sorted(row[0] for row in self.lake.read(table).select(name).collect())
