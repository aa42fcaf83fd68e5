"""Meta: members of a custom audience. Source: https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences (10,000 a request).

The destination's url ends with the audience's id: https://graph.facebook.com/v25.0/<audience>. The export's key is `extern_id`, an id of
ours, which Meta keeps beside the hashes and removes by. Other columns: email, phone, fn, ln, ct, st, zip, country, as they were told;
they are brought into Meta's form and hashed here.

Meta answers 400 whatever is wrong; what is, its error codes say. Source: https://developers.facebook.com/docs/graph-api/guides/error-handling and
https://developers.facebook.com/docs/marketing-api/error-reference.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from lakehouse.exports.rows import Removal, Row
from lakehouse.exports.shapes import hashing
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape

SCHEMA = ("EXTERN_ID", "EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY")

# Too many calls, or something that passes; the token, a right, the audience or the terms of use.
_LATER = frozenset({1, 2, 4, 17, 32, 341, 368, 613, *range(80_000, 80_015)})
_NOT_OURS = frozenset({3, 10, 102, 190, *range(200, 300), 2655, 1487301, 1487366})
_NO_AUDIENCE = (100, 33)


def member(row: Row) -> list[str]:
    """One row in the order of SCHEMA; what is not told is an empty text, which Meta does not match by."""
    get = row.get
    normal = (
        hashing.meta_email(get("email")),
        hashing.meta_phone(get("phone")),
        *(hashing.meta_name(get(name)) for name in ("fn", "ln", "ct")),
        hashing.meta_state(get("st"), get("country")),
        hashing.meta_zip(get("zip"), get("country")),
        (hashing.region(get("country")) or "").lower() or None,
    )
    return [str(row["extern_id"]), *(hashing.sha256(value) or "" for value in normal)]


def fault(row: Row, _: Options) -> str | None:
    """By an id of ours alone Meta finds nobody."""
    return None if any(member(row)[1:]) else "nothing that Meta could match by"


def status(said: int, answer: Any) -> int:
    """429 for what passes, 403 for what somebody must mend: no row is to blame for either."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if said < 400 or not isinstance(error, dict):
        return said
    code = error.get("code")
    if error.get("is_transient") is True or code in _LATER:
        return 429
    return 403 if code in _NOT_OURS or (code, error.get("error_subcode")) == _NO_AUDIENCE else said


def refused(request: Request, answer: Any) -> dict[str, str] | None:
    """Of a session that is over `num_invalid_entries` says how many members were not taken, and not which."""
    invalid = answer.get("num_invalid_entries") if isinstance(answer, dict) else None
    if not isinstance(invalid, int) or invalid <= 0:
        return {}
    return dict.fromkeys(request.keys, "invalid") if invalid >= len(request.keys) else None


def upserts(rows: Sequence[Said], _: Options) -> Request:
    return _request("POST", SCHEMA, [member(said.row) for said in rows], tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], _: Options) -> Request:
    keys = tuple(removal.key for removal in gone)
    return _request("DELETE", ("EXTERN_ID",), [[key] for key in keys], keys)


def _request(method: str, schema: Sequence[str], data: Sequence[Sequence[str]], keys: tuple[str, ...]) -> Request:
    """Each is a session of its own; the same request is the same session."""
    digest = hashlib.blake2b(f"{method}{schema}{data}".encode(), digest_size=7).digest()
    session = {"session_id": int.from_bytes(digest), "batch_seq": 1, "last_batch_flag": True}
    session |= {"estimated_num_total": len(keys)}
    body = {"session": session, "payload": {"schema": list(schema), "data": data}}
    return Request(path="users", body=body, keys=keys, method=method)


SHAPE = Shape(
    most_rows=10_000,
    most_removals=10_000,
    upserts=upserts,
    removals=removals,
    refused=refused,
    status=status,
    needs=frozenset({"extern_id"}),
    fault=fault,
)
