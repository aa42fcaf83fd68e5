"""Braze: Track users and Delete users. Source: https://www.braze.com/docs/api/endpoints/user_data/post_user_track (75 objects a request) and
https://www.braze.com/docs/api/endpoints/user_data/post_user_delete (50).

The export's key is `external_id`; a column is an attribute of its name, also where it is null: that clears it. `country` is an ISO 3166 code there.
"""

from collections.abc import Sequence
from typing import Any

from lakehouse.exports.rows import Removal, Row
from lakehouse.exports.shapes import hashing
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape, value


def attributes(row: Row) -> dict[str, Any]:
    """One object of attributes."""
    told = {name: value(one) for name, one in row.items()}
    return told | {"country": hashing.region(row["country"]) or row["country"]} if row.get("country") else told


def upserts(rows: Sequence[Said], _: Options) -> Request:
    body = {"attributes": [attributes(said.row) for said in rows]}
    return Request(path="users/track", body=body, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], _: Options) -> Request:
    keys = tuple(removal.key for removal in gone)
    return Request(path="users/delete", body={"external_ids": list(keys)}, keys=keys)


def refused(request: Request, answer: Any) -> dict[str, str]:
    """Of a request that was taken in part, `errors` says which object of which list was not."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    found = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    at = [(one.get("index"), one) for one in found if one.get("input_array") == "attributes"]
    return {
        request.keys[index]: str(one.get("type") or "refused")
        for index, one in at
        if isinstance(index, int) and 0 <= index < len(request.keys)
    }


SHAPE = Shape(
    most_rows=75,
    most_removals=50,
    upserts=upserts,
    removals=removals,
    refused=refused,
    needs=frozenset({"external_id"}),
)
