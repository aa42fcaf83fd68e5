"""Klaviyo: Bulk Import Profiles. Source: https://developers.klaviyo.com/en/reference/bulk_import_profiles (10,000 profiles a job).

The export's key is `external_id`. A property that says nothing is taken from the profile; what Klaviyo knows of itself, such as a name or a town,
stays there, for an import cannot clear it. An import is a job: what of it fails is told by Klaviyo alone. It fails for a profile whose telephone number is not E.164: such a
number is left out, so that the profile arrives. Who is to go is looked up by it, and then deleted as the law asks: Klaviyo's Request Profile Deletion,
https://developers.klaviyo.com/en/reference/request_profile_deletion, which knows its own id and no external one.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from lakehouse.events.phone import is_e164
from lakehouse.exports.rows import Removal, Row
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape, told

_OWN = ("email", "phone_number", "external_id", "first_name", "last_name", "organization", "locale", "title", "image")
_LOCATION = ("address1", "address2", "city", "country", "region", "zip", "timezone", "latitude", "longitude", "ip")


def profile(row: Row) -> dict[str, Any]:
    """One profile: its own attributes, its location, and the rest as properties."""
    location, rest = told(row, _LOCATION), told(row, but=(*_OWN, *_LOCATION))
    is_dialled = is_e164(str(row.get("phone_number") or ""))
    attributes = (
        told(row, _OWN, () if is_dialled else ("phone_number",))
        | ({"location": location} if location else {})
        | ({"properties": rest} if rest else {})
    )
    unset = [name for name, one in row.items() if one is None and name not in (*_OWN, *_LOCATION)]
    meta = {"meta": {"patch_properties": {"unset": unset}}} if unset else {}
    return {"type": "profile", "attributes": attributes, **meta}


def upserts(rows: Sequence[Said], _: Options) -> Request:
    profiles = {"profiles": {"data": [profile(said.row) for said in rows]}}
    body = {"data": {"type": "profile-bulk-import-job", "attributes": profiles}}
    return Request(path="api/profile-bulk-import-jobs", body=body, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], _: Options) -> Request:
    (removal,) = gone
    text = removal.key.replace("\\", "\\\\").replace('"', '\\"')
    asked = quote(f'equals(external_id,"{text}")')

    def delete(answer: Any) -> Request | None:
        found = answer.get("data") if isinstance(answer, dict) else None
        if not found:
            return None
        who = {"profile": {"data": {"type": "profile", "id": found[0]["id"]}}}
        body = {"data": {"type": "data-privacy-deletion-job", "attributes": who}}
        return Request(path="api/data-privacy-deletion-jobs", body=body, keys=(removal.key,))

    return Request(path=f"api/profiles?filter={asked}", body=None, keys=(removal.key,), method="GET", follow=delete)


SHAPE = Shape(
    most_rows=10_000,
    most_removals=1,
    upserts=upserts,
    removals=removals,
    needs=frozenset({"external_id"}),
    content_type="application/vnd.api+json",
)
