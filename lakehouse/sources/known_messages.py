"""Which messages of an import the lake or the topic has already: they are not sent again, however long ago they came.

The deduplication of the stream remembers a message for events.dedupe_days; a file may be imported again after a year. So three places
are asked, which together have whatever was sent and is still there:

    silver.events               accepted events, by message id
    silver.events_quarantine    rejected ones, by their bytes: what a mended mapping makes another document of is sent again
    the end of the topic        what no micro-batch has taken in yet, by its bytes

Silver holds a prefix of what goes there of each partition, and quarantine is written before it (lakehouse/queries/known_records.py): so the
topic is read from where silver ends.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.config import Config, PrivacyConfig
from lakehouse.events.fields import text
from lakehouse.events.tokens import hidden
from lakehouse.kafka.unread import Offsets, unread
from lakehouse.machine import local_folder
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

_BYTES = 16  # of a digest: two messages that have it in common are one, as surely as anything is


class KnownMessages:
    """Sixteen bytes a message in memory, so that a hundred million fit."""

    def __init__(self, ids: Iterable[bytes], values: Iterable[bytes]) -> None:
        """`ids`: of messages, as silver.events shows them; `values`: whole records."""
        self._ids, self._values = _digests(ids), _digests(values)

    def has(self, message_id: str, value: bytes) -> bool:
        """`message_id`: of `shown_id`."""
        return _holds(self._ids, digest(message_id.encode())) or _holds(self._values, digest(value))

    @classmethod
    def of(cls, config: Config, *, has_broker: bool = True) -> Self:
        """What the configured lake and its topic have; a lake that is not there yet has nothing, and a broker that is not there no topic.

        Raises:
            BrokerError: the topic cannot be read.
        """
        kafka = config.kafka
        ends = Offsets()
        # Silver is read to its end first, which says from where the topic is read.
        known = cls(_ids(config, kafka.events_topic, ends), _rejected(config))
        if has_broker:
            known._values = np.union1d(known._values, _digests(unread(kafka, kafka.events_topic, ends)))
        return known


def shown_id(document: Mapping[str, Any], privacy: PrivacyConfig) -> str:
    """The id of a message as silver.events shows it: in its one form, and a token where it is personal. One that silver would refuse as it is."""
    read = text(document, "message_id")
    return str(document["messageId"]) if read is None else hidden(privacy, "message_id", read)


def digest(of: bytes) -> bytes:
    return hashlib.blake2b(of, digest_size=_BYTES).digest()


def _ids(config: Config, topic: str, ends: Offsets) -> Iterator[bytes]:
    """Message ids in silver; how far it reaches in each partition of the topic goes to `ends`."""
    for batch in _batches(config, SILVER_EVENTS, "message_id", "topic", "partition", "offset"):
        of_topic = pa.Table.from_batches([batch.filter(pc.equal(batch["topic"], topic))])
        for row in of_topic.group_by("partition").aggregate([("offset", "max")]).to_pylist():
            ends[row["partition"]] = max(ends.get(row["partition"], 0), row["offset_max"] + 1)
        yield from (id_.encode() for id_ in batch["message_id"].to_pylist())


def _rejected(config: Config) -> Iterator[bytes]:
    for batch in _batches(config, SILVER_EVENTS_QUARANTINE, "value"):
        yield from (value for value in batch["value"].to_pylist() if value is not None)


def _batches(config: Config, table: Table, *columns: str) -> Iterator[pa.RecordBatch]:
    path = f"{config.lake.root.rstrip('/')}/{table.name.replace('.', '/')}"
    is_missing = local_folder(path) is not None and not Path(path).exists()
    if not is_missing and DeltaTable.is_deltatable(path):
        yield from DeltaTable(path).to_pyarrow_dataset().to_batches(columns=list(columns))


def _digests(messages: Iterable[bytes]) -> npt.NDArray[Any]:
    return np.sort(np.fromiter(map(digest, messages), dtype=f"S{_BYTES}"))


def _holds(digests: npt.NDArray[Any], wanted: bytes) -> bool:
    at = int(np.searchsorted(digests, np.bytes_(wanted)))
    return at < len(digests) and bool(digests[at] == wanted.rstrip(b"\0"))  # as numpy keeps it
