"""Which messages of an import the lake or the topic has already: they are not sent again, however long ago they came.

The deduplication of the stream remembers a message for events.dedupe_days; a file may be imported again after a year. So three places
are asked, which together have whatever was sent and is still there:

    silver.events               events, by message id
    silver.events_quarantine    rejected ones, by message id and why: what a mended mapping makes an event of is sent again
    the end of the topic        what no micro-batch has taken in yet, by the same

Never by what a document says alone: the time of its file and what is filled in (lakehouse/sources/imputation.py) stand in it, and are others
another day. Only where nobody here can say why a message is rejected, as by a tracking plan, the very same bytes are the same message.

Silver holds a prefix of what goes there of each partition, and quarantine is written before it (lakehouse/queries/known_records.py): so the
topic is read from where silver ends.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.config import Config, PrivacyConfig
from lakehouse.events.envelope import UNMAPPED
from lakehouse.events.event_row import EventReader
from lakehouse.events.verdict import parts
from lakehouse.kafka.unread import Offsets, unread
from lakehouse.machine import local_folder
from lakehouse.sources.digests import Digests, digest
from lakehouse.sources.drafts import Draft
from lakehouse.sources.message_ids import sent_id
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

_IS_UNMAPPED = f'"type":"{UNMAPPED}"'.encode()  # in a message of ours; in another's it may be anything
Verdict = Callable[[bytes], str | None]
"""Why the one parse rejects a message, as `reason|detail`; None = it does not."""


class Rejected(NamedTuple):
    """A message that is no event. message_id: of `sent_id`. reason, detail: of its verdict, as lakehouse/events/verdict.py parts it."""

    value: bytes
    message_id: str | None
    reason: str | None
    detail: str | None


class KnownMessages:
    """Sixteen bytes an event in memory, and 48 a rejected message, so that a hundred million fit."""

    def __init__(self, ids: Iterable[bytes], rejected: Iterable[Rejected], verdict: Verdict) -> None:
        """`ids`: of events, as silver.events shows them."""
        self._verdict = verdict
        self._ids, self._values, self._rejected_ids, self._reasons = (Digests() for _ in range(4))
        digests = bytearray()
        for one in ids:
            digests += digest(one)
        self._ids.add(digests)
        self._reject(rejected)

    def have(self, messages: Sequence[Draft]) -> list[bool]:
        """Of each whether it is known."""
        ids = [one.digest for one in messages]
        known: list[bool] = self._ids.have(ids).tolist()
        if self._values:
            for at in self._values.have([digest(one.value) for one in messages]).nonzero()[0].tolist():
                known[at] = True
            for at in self._rejected_ids.have(ids).nonzero()[0].tolist():
                known[at] = known[at] or self._is_rejected_alike(messages[at])
        return known

    def _is_rejected_alike(self, one: Draft) -> bool:
        reason = _reason(one.message_id, *parts(self._verdict(one.value)))
        return bool(self._reasons.have([reason])[0])

    def add(self, ids: bytearray) -> None:
        """Messages that were sent since, by the digests of their ids, one behind the other."""
        self._ids.add(ids)

    @classmethod
    def of(cls, config: Config, *, has_broker: bool = True) -> Self:
        """What the configured lake and its topic have; a lake that is not there yet has nothing, and a broker that is not there no topic.

        Raises:
            BrokerError: the topic cannot be read.
        """
        kafka, reader, now, ends = config.kafka, EventReader(config), time.time_ns() // 1000, Offsets()

        def verdict(value: bytes) -> str | None:
            return reader.read(value, now, now).verdict

        # Silver is read to its end first, which says from where the topic is read.
        known = cls(_ids(config, kafka.events_topic, ends), _rejected(config), verdict)
        if has_broker:
            known.take_in(unread(kafka, kafka.events_topic, ends), config.privacy)
        return known

    def take_in(self, waiting: Iterable[bytes], privacy: PrivacyConfig) -> None:
        """Messages that will be in silver or in quarantine. Of those that were mapped nobody asks yet which: they count as events."""
        ids = bytearray()
        self._reject(self._unmapped(waiting, privacy, ids))
        self._ids.add(ids)

    def _unmapped(self, waiting: Iterable[bytes], privacy: PrivacyConfig, others: bytearray) -> Iterator[Rejected]:
        """Those of the messages; the digests of the ids of the others go to `others`."""
        for value in waiting:
            if (message_id := sent_id(value, privacy)) is None:
                continue
            reason, detail = parts(self._verdict(value) if _IS_UNMAPPED in value else None)
            if reason == UNMAPPED:
                yield Rejected(value, message_id, reason, detail)
            else:
                others += digest(message_id.encode())

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        values, ids, reasons = bytearray(), bytearray(), bytearray()
        for one in rejected:
            values += digest(one.value)
            if one.message_id is not None:
                ids += digest(one.message_id.encode())
                reasons += _reason(one.message_id, one.reason, one.detail)
        for digests, more in ((self._values, values), (self._rejected_ids, ids), (self._reasons, reasons)):
            digests.add(more)


def _ids(config: Config, topic: str, ends: Offsets) -> Iterator[bytes]:
    """Message ids in silver; how far it reaches in each partition of the topic goes to `ends`."""
    for batch in _batches(config, SILVER_EVENTS, "message_id", "topic", "partition", "offset"):
        of_topic = pa.Table.from_batches([batch.filter(pc.equal(batch["topic"], topic))])
        for row in of_topic.group_by("partition").aggregate([("offset", "max")]).to_pylist():
            ends[row["partition"]] = max(ends.get(row["partition"], 0), row["offset_max"] + 1)
        yield from (id_.encode() for id_ in batch["message_id"].to_pylist())


def _rejected(config: Config) -> Iterator[Rejected]:
    for batch in _batches(config, SILVER_EVENTS_QUARANTINE, "value", "reason", "detail"):
        for row in batch.to_pylist():
            if (value := row["value"]) is not None:
                yield Rejected(value, sent_id(value, config.privacy), row["reason"], row["detail"])


def _batches(config: Config, table: Table, *columns: str) -> Iterator[pa.RecordBatch]:
    path = f"{config.lake.root.rstrip('/')}/{table.name.replace('.', '/')}"
    is_missing = local_folder(path) is not None and not Path(path).exists()
    if not is_missing and DeltaTable.is_deltatable(path):
        yield from DeltaTable(path).to_pyarrow_dataset().to_batches(columns=list(columns))


def _reason(message_id: str, reason: str | None, detail: str | None) -> bytes:
    return digest(f"{message_id}\0{reason or ''}\0{detail or ''}".encode())
