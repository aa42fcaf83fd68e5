"""Requests to overrule the graph: as JSON, and which of them become effective, in whatever company. Pure."""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lakehouse.config import IdentifierRule
from lakehouse.errors import ContractError
from lakehouse.identity.contradictions import InForce, Name, contradiction, plainly, same
from lakehouse.identity.overrides import NamedIdentifier, Override

Known = Mapping[str, Override]  # by override_id


@dataclass(frozen=True, kw_only=True)
class Undo:
    """A request to take an override back."""

    override_id: str
    by: str
    reason: str
    at: datetime  # with a zone


Request = Override | Undo


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a request does not become effective. `is_there`: because what it asks for is in force already."""

    reason: str
    is_there: bool = False


def take(
    requests: Iterable[tuple[str, Request | Refusal]], stored: Known, rules: Mapping[str, IdentifierRule]
) -> tuple[dict[str, Override], list[str], dict[str, str]]:
    """Decide on requests one after the other: all overrides then, the ids asked for, and file -> reason of the refused.

    A request that is in `stored` already, because a crash came before it was settled, is asked for once more.
    """
    known, in_force = dict(stored), InForce(stored.values())
    changed, refused = [], {}
    for file, request in requests:
        outcome = request if isinstance(request, Refusal) else _decided(request, known, in_force, rules, plainly)
        if isinstance(outcome, Refusal):
            refused[file] = outcome.reason
        else:
            known[outcome.override_id] = outcome
            in_force.set(outcome)
            changed.append(outcome.override_id)
    return known, changed, refused


def decide(
    request: Request, known: Known, rules: Mapping[str, IdentifierRule], name: Name = plainly
) -> Override | Refusal:
    """The override as it stands once the request is taken in, or why it is not. `name`: how to write an identifier."""
    return _decided(request, known, InForce(known.values()), rules, name)


def _decided(
    request: Request, known: Known, in_force: InForce, rules: Mapping[str, IdentifierRule], name: Name
) -> Override | Refusal:
    if isinstance(request, Undo):
        return _undone(request, known)
    if request.override_id in known:
        return known[request.override_id]
    for type_, _ in request.identifiers:
        if (fault := unknown_type(type_, rules)) is not None:
            return Refusal(reason=f"{request.action}: {fault}")
    if (there := same(request, in_force)) is not None:
        what = f"{request.action} {' '.join(map(name, request.identifiers))}"
        return Refusal(reason=f"{what}: there already, {there.override_id} of {there.created_by}", is_there=True)
    reason = contradiction(request, in_force, rules, name)
    return request if reason is None else Refusal(reason=reason)


def unknown_type(type_: str, rules: Mapping[str, IdentifierRule]) -> str | None:
    """What is wrong with it, naming the nearest that is known; None when it is one."""
    if type_ in rules:
        return None
    nearest = difflib.get_close_matches(type_, sorted(rules), n=1, cutoff=0.0)
    return f"unknown identifier type '{type_}'; did you mean '{nearest[0]}'? The types are {', '.join(sorted(rules))}"


def _undone(request: Undo, known: Known) -> Override | Refusal:
    override = known.get(request.override_id)
    if override is None:
        return Refusal(
            reason=f"undo {request.override_id}: no such override, expected one of ./spark-submit.sh identity list"
        )
    undone = dataclasses.replace(override, undone_by=request.by, undone_reason=request.reason, undone_at=request.at)
    if override.is_active or override == undone:
        return undone
    return Refusal(
        reason=f"undo {request.override_id}: undone already, by {override.undone_by} at {override.undone_at:%Y-%m-%d %H:%M} "
        "UTC. Ask for the override anew if it is to hold again"
    )


def text(request: Request) -> str:
    """A request as JSON; `parse` reads it."""
    if isinstance(request, Undo):
        words: dict[str, Any] = {"action": "undo", "override_id": request.override_id}
        by, reason, at = request.by, request.reason, request.at
    else:
        words = {"action": request.action, "identifiers": request.identifiers}
        by, reason, at = request.created_by, request.reason, request.created_at
    return json.dumps(words | {"by": by, "reason": reason, "at": at.astimezone(UTC).isoformat()})


def parse(text: str) -> Request | Refusal:
    """What a file says, in whatever state: nothing in it may stop the stream."""
    try:
        words = json.loads(text)
        json.dumps(words, ensure_ascii=False).encode()  # no half of a surrogate pair: no table could hold it
        at = datetime.fromisoformat(words["at"])
        if at.tzinfo is None:
            raise ContractError(f"'at' without a zone, got {at}, expected UTC")
        return _request(words, str(words["by"]), str(words["reason"]), at.astimezone(UTC))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, ContractError) as error:
        return Refusal(reason=f"not a request, got {type(error).__name__}: {error}. Ask by ./spark-submit.sh identity")


def _request(words: Mapping[str, Any], by: str, reason: str, at: datetime) -> Request:
    if words["action"] == "undo":
        return Undo(override_id=str(words["override_id"]), by=by, reason=reason, at=at)
    named = tuple(sorted(NamedIdentifier(str(type_), str(token)) for type_, token in words["identifiers"]))
    return Override(action=words["action"], identifiers=named, created_by=by, reason=reason, created_at=at)


def asked_at(request: Request | Refusal) -> datetime:
    if isinstance(request, Refusal):
        return datetime.max.replace(tzinfo=UTC)
    return request.at if isinstance(request, Undo) else request.created_at
