"""What an import of a table sends into: it remembers what came, as the lake and the topic do, and may fall over on the way."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.config.paths import SOURCES
from lakehouse.imports.reading import ImportedTable
from lakehouse.imports.table_import import Kept, import_table
from lakehouse.sources.history import Tally, messages
from lakehouse.sources.known_messages import KnownMessages
from lakehouse.sources.source import Source

SHOP = Source.named("simple-events", SOURCES, load("dev", environ={}))


class Killed(Exception):
    """The import ended here."""


class ShopLake:
    """`killed_after`: messages of an import that arrive before it ends; None = all do."""

    def __init__(self, spark: SparkSession, root: Path, source: Source = SHOP) -> None:
        self._spark, self._root, self._source = spark, root, source
        self.documents: list[dict[str, Any]] = []
        self.told: list[str] = []
        self.killed_after: int | None = None

    def imports(self, table: ImportedTable, *, again: bool = False) -> tuple[int, int, int]:
        """Records read, sent and known of one import."""
        kept = Kept(root=str(self._root), source=self._source.name, table=table.name, spark=self._spark)
        tally = import_table(
            table,
            kept,
            self._send,
            self.told.append,
            format_=self._source.format,
            again=again,
            is_tried=False,
        )
        return tally.records, tally.sent, tally.known

    def said(self, *names: str) -> list[Any]:
        """Of every event in the lake what it says there, sorted."""
        return sorted(tuple(document["properties"].get(name) for name in names) for document in self.documents)

    def _send(self, folder: Path) -> Tally:
        known = KnownMessages([str(one["messageId"]).encode() for one in self.documents], [], lambda _: None)
        tally = Tally()
        found = messages([folder], self._source, known, tally, lambda *_: None)
        self._take(one.value for one in islice(found, self.killed_after))
        if self.killed_after is not None:
            raise Killed
        return tally

    def _take(self, values: Iterable[bytes | None]) -> None:
        self.documents += [orjson.loads(value) for value in values if value is not None]
        assert len({one["messageId"] for one in self.documents}) == len(self.documents), "sent twice"
