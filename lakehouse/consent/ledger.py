"""Rows of silver.consent from accepted events. Pure. Each statement is kept as it was said, also where it says again what was said before."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lakehouse.config.limits import PURPOSES
from lakehouse.tables.consent import DENIED, GRANTED, NO_PURPOSE, SILVER_CONSENT, UNSAID

COLUMNS = ("actor_id", "message_id", "occurred_at", "consent", "consent_basis", "location", "is_bot")
_TIME = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema([(one.name, _TIME if one.type == "timestamp" else pa.string()) for one in SILVER_CONSENT.columns])
_TYPES = ", ".join(f"{one.name} {one.type}" for one in SILVER_CONSENT.columns)


def statements(events: DataFrame) -> DataFrame:
    """Rows of silver.events, COLUMNS of them -> rows of silver.consent. Programs say nothing of people."""
    return events.where("consent IS NOT NULL AND NOT is_bot").select(*COLUMNS).mapInArrow(_of_batches, _TYPES)


def _of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from statements_of(pa.Table.from_batches([batch])).to_batches()


def statements_of(events: pa.Table) -> pa.Table:
    """`statements`, of rows on the driver."""
    said = events.filter(pc.and_not(pc.is_valid(events["consent"]), events["is_bot"])).combine_chunks()
    consent, basis = (said[name].combine_chunks() for name in ("consent", "consent_basis"))
    others = pc.struct_field(basis, "others")
    words = [pc.struct_field(consent, purpose) for purpose in PURPOSES]
    has_others = pc.fill_null(pc.greater(pc.list_value_length(others), 0), False)
    is_named = pc.or_(has_others, pc.is_valid(pc.coalesce(*words)))
    told = _told(said, basis)
    named = [
        _rows(told.filter(pc.is_valid(word)), purpose, _status(pc.drop_null(word)))
        for purpose, word in zip(PURPOSES, words, strict=True)
    ]
    flat = pc.list_flatten(others)
    by_others = told.take(pc.list_parent_indices(others))
    named.append(_rows(by_others, pc.struct_field(flat, "purpose"), _status(pc.struct_field(flat, "is_allowed"))))
    unsaid = told.filter(pc.invert(is_named))
    named.append(_rows(unsaid, NO_PURPOSE, pa.repeat(UNSAID, unsaid.num_rows)))
    return pa.concat_tables(named)


def _told(said: pa.Table, basis: pa.StructArray) -> pa.Table:
    """What is the same of every purpose that an event names."""
    location = said["location"].combine_chunks()
    places = (
        pc.struct_field(basis, "jurisdiction"),
        *(pc.struct_field(location, one) for one in ("region", "country")),
    )
    return pa.table(
        {
            "actor_id": said["actor_id"],
            "message_id": said["message_id"],
            "said_at": said["occurred_at"].cast(_TIME),
            "jurisdiction": pc.coalesce(*places),
            **{name: pc.struct_field(basis, name) for name in ("source", "text_version", "told_by")},
        }
    )


def _rows(told: pa.Table, purpose: str | pa.Array, status: pa.Array) -> pa.Table:
    named = pa.repeat(purpose, told.num_rows) if isinstance(purpose, str) else purpose
    return told.append_column("purpose", named).append_column("status", status).select(_SCHEMA.names).cast(_SCHEMA)


def _status(words: pa.Array) -> pa.Array:
    return pc.if_else(words, GRANTED, DENIED)
