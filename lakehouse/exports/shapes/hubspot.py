"""HubSpot: contacts by batch. Source: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert
(100 contacts a request).

The option `id_property` names the property, unique in HubSpot, that holds the key. Who is to go is read by it, and then archived by the
id that HubSpot gave them. Values are text there; null is an empty one. Each contact has a trace id, by which the answer names those it did not take.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lakehouse.exports.rows import Removal
from lakehouse.exports.shapes.shape import Options, Request, Said, Shape

_CONTACTS = "crm/v3/objects/contacts/batch"


def text(value: Any) -> str:
    """As a property holds it: times in ms since 1970, lists with semicolons between.

    >>> [text(value) for value in (None, True, 12.5, ["a", "b"])]
    ['', 'true', '12.5', 'a;b']
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return str(int(value.timestamp() * 1000))
        case list():
            return ";".join(map(str, value))
    return str(value)


def upserts(rows: Sequence[Said], options: Options) -> Request:
    id_property = options["id_property"]
    inputs = [
        {
            "idProperty": id_property,
            "id": said.key,
            "properties": {name: text(value) for name, value in said.row.items() if name != id_property},
            "objectWriteTraceId": str(number),
        }
        for number, said in enumerate(rows)
    ]
    return Request(path=f"{_CONTACTS}/upsert", body={"inputs": inputs}, keys=tuple(said.key for said in rows))


def removals(gone: Sequence[Removal], options: Options) -> Request:
    keys = tuple(removal.key for removal in gone)

    def archive(answer: Any) -> Request | None:
        found = [one["id"] for one in answer.get("results", ())] if isinstance(answer, dict) else []
        return (
            Request(path=f"{_CONTACTS}/archive", body={"inputs": [{"id": one} for one in found]}, keys=keys)
            if found
            else None
        )

    nothing: dict[str, list[str]] = {"properties": [], "propertiesWithHistory": []}
    body = {"idProperty": options["id_property"], **nothing, "inputs": [{"id": key} for key in keys]}
    return Request(path=f"{_CONTACTS}/read", body=body, keys=keys, follow=archive)


def refused(request: Request, answer: Any) -> dict[str, str] | None:
    """Status 207: `errors` says which contacts were not taken, by their trace ids, or does not say which. `results` has those that were, each with its trace id.

    HubSpot may answer 200 with neither: nobody was taken.
    """
    if not isinstance(answer, dict):
        return {}
    numbers = {str(number): key for number, key in enumerate(request.keys)}
    errors = [one for one in _listed(answer, "errors") if isinstance(one, dict)]
    found: dict[str, str] = {}
    for error in errors:
        context = error.get("context")
        traces = context.get("objectWriteTraceId") if isinstance(context, dict) else None
        for trace in traces if isinstance(traces, list) else [traces]:
            if isinstance(trace, str) and trace in numbers:
                found[numbers[trace]] = str(error.get("category") or "refused")
    if isinstance(answer.get("results"), list):
        results = [one for one in _listed(answer, "results") if isinstance(one, dict)]
        taken = {numbers.get(str(one.get("objectWriteTraceId"))) for one in results}
        reason = str(errors[0].get("category") or "refused") if errors else "not among the results"
        if None not in taken:
            return {key: reason for key in request.keys if key not in taken} | found
        if errors and len(results) + len(found) < len(request.keys):
            return None
    return found


def _listed(answer: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = answer.get(name)
    return found if isinstance(found, list) else ()


SHAPE = Shape(
    most_rows=100,
    most_removals=100,
    upserts=upserts,
    removals=removals,
    refused=refused,
    options=frozenset({"id_property"}),
)
