"""Customer.io: Track API v2, batch. Source: https://docs.customer.io/integrations/api/track/tag/track_v2/ (a batch below 500 kB, each entry below 32 kB).

The export's key is `id`; the other columns are attributes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lakehouse.exports.rows import Removal, Row
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape, value

_PATH = "api/v2/batch"


def attributes(row: Row) -> dict[str, Any]:
    """Times are seconds since 1970, as Customer.io compares them; an empty text clears an attribute."""
    return {
        name: "" if one is None else int(one.timestamp()) if isinstance(one, datetime) else value(one)
        for name, one in row.items()
        if name != "id"
    }


def upserts(rows: Sequence[Said], _: Options) -> Request:
    batch = [
        {"type": "person", "identifiers": {"id": said.key}, "action": "identify", "attributes": attributes(said.row)}
        for said in rows
    ]
    return Request(path=_PATH, body={"batch": batch}, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], _: Options) -> Request:
    batch = [{"type": "person", "identifiers": {"id": removal.key}, "action": "delete"} for removal in gone]
    return Request(path=_PATH, body={"batch": batch}, keys=tuple(removal.key for removal in gone))


def refused(request: Request, answer: Any) -> dict[str, str]:
    """Status 207: `errors` names the entries of the batch that were not taken."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    at = [(one.get("batch_index"), one) for one in found]
    return {
        request.keys[index]: f"{one.get('reason') or 'refused'} {one.get('field') or ''}".strip()
        for index, one in at
        if isinstance(index, int) and 0 <= index < len(request.keys)
    }


SHAPE = Shape(
    most_rows=200, most_removals=1000, upserts=upserts, removals=removals, refused=refused, needs=frozenset({"id"})
)
