"""Rows as they are, for whoever writes a receiver of their own.

    {"rows": [{"key": "p1", "row": {"segment": "loyal"}}], "removed": []}      and      {"rows": [], "removed": ["p7"]}

A 2xx answer takes all of it; with {"rejected": [{"key": "p1", "reason": "no such list"}]} all but those.
"""

from collections.abc import Sequence
from typing import Any

from lakehouse.exports.rows import Removal
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape


def upserts(rows: Sequence[Said], _: Options) -> Request:
    body = {"rows": [{"key": said.key, "row": dict(said.row)} for said in rows], "removed": []}
    return Request(path="", body=body, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], _: Options) -> Request:
    keys = tuple(removal.key for removal in gone)
    return Request(path="", body={"rows": [], "removed": list(keys)}, keys=keys)


def refused(request: Request, answer: Any) -> dict[str, str]:
    rejected = answer.get("rejected") if isinstance(answer, dict) else None
    entries = [one for one in rejected if isinstance(one, dict)] if isinstance(rejected, list) else []
    return {
        str(one.get("key")): str(one.get("reason") or "no reason given")
        for one in entries
        if str(one.get("key")) in request.keys
    }


SHAPE = Shape(most_rows=1000, most_removals=1000, upserts=upserts, removals=removals, refused=refused)
