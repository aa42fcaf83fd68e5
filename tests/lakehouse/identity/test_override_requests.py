"""Whatever people ask for in whatever order: what becomes effective can all be meant, and only what cannot is refused."""

from datetime import UTC, datetime, timedelta

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.override_requests import Refusal, Request, Undo, parse, take, text
from lakehouse.identity.overrides import NamedIdentifier, Override
from tests.lakehouse.identity.identity_graphs import RULES, examples

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
IDENTIFIERS = [NamedIdentifier(type_, token) for type_ in ("user_id", "email", "device_id") for token in "abc"]


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    chance = draw(st.randoms(use_true_random=False))
    made: list[Request] = []
    for minute in range(draw(st.integers(0, 30))):
        asked, action = MORNING + timedelta(minutes=minute), chance.choice(["link", "link", "unlink", "block", "undo"])
        words = {"created_by": "ann", "reason": "x", "created_at": asked}
        earlier = [request.override_id for request in made]
        if action == "undo":
            made.append(Undo(override_id=chance.choice([*earlier, "nobody"]), by="bob", reason="x", at=asked))
        else:
            chosen = chance.sample(IDENTIFIERS, 1 if action == "block" else 2)
            made.append(Override(action=action, identifiers=tuple(sorted(chosen)), **words))
    return made


def can_all_be_meant(overrides: list[Override]) -> bool:
    links = [o.identifiers for o in overrides if o.action == "link"]
    tied = list(nx.connected_components(nx.Graph(links)))
    blocked = {o.identifiers[0] for o in overrides if o.action == "block"}
    pairs = [set(o.identifiers) for o in overrides if o.action == "unlink"]
    counts = [sum(i.type == type_ for i in part) <= rule.limit for part in tied for type_, rule in RULES.items()]
    distinct = len({(o.action, o.identifiers) for o in overrides}) == len(overrides)
    return distinct and all(counts) and not any(part & blocked or any(p <= part for p in pairs) for part in tied)


def active(known: dict[str, Override]) -> list[Override]:
    return [override for override in known.values() if override.is_active]


@given(requests())
@examples(300)
def test_what_is_in_force_can_all_be_meant_and_only_what_cannot_is_refused(asked: list[Request]) -> None:
    known: dict[str, Override] = {}
    for request in asked:
        after, changed, refused = take([("file", request)], known, RULES)
        assert bool(changed) != bool(refused)
        assert can_all_be_meant(active(after))
        if refused and isinstance(request, Override):
            assert after == known
            assert not can_all_be_meant([*active(known), request])
        if isinstance(request, Undo):
            was = known.get(request.override_id)
            assert bool(refused) == (was is None or not was.is_active)
        known = after


@given(requests())
@examples(100)
def test_taking_the_same_in_again_changes_nothing(asked: list[Request]) -> None:
    numbered = [(str(number), request) for number, request in enumerate(asked)]
    known, changed, refused = take(numbered, {}, RULES)
    accepted = [(file, request) for file, request in numbered if file not in refused]
    assert take(accepted, known, RULES) == (known, changed, {})


@given(requests())
@examples(30)
def test_a_request_is_read_as_it_was_written(asked: list[Request]) -> None:
    assert [parse(text(request)) for request in asked] == asked


def test_a_type_without_a_rule_is_refused_with_the_nearest() -> None:
    shoe = Override(
        action="block", identifiers=(NamedIdentifier("emial", "44"),), created_by="x", reason="x", created_at=MORNING
    )
    _, _, refused = take([("file", shoe)], {}, RULES)
    assert refused["file"].startswith("block: unknown identifier type 'emial'; did you mean 'email'?")


@given(st.text())
@examples(100)
def test_any_text_at_all_is_a_request_or_a_refusal(anything: str) -> None:
    assert isinstance(parse(anything), Refusal | Undo | Override)
