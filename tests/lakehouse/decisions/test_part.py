"""Several people that a visitor may be: against the rule of the lake, which knows who is one and when they became it."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config.limits import PURPOSES
from lakehouse.consent.standing import Speaker, Statement, as_one, people
from lakehouse.decisions.part import Part, most_restrictive, parts_of
from lakehouse.decisions.visitor import Visitor
from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.store import Entry
from tests.online_people import person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EPOCH = datetime.fromtimestamp(0, UTC)
BEGAN = NOW - timedelta(days=2)
PHONE, USER, NEW = ("anonymous_id", "phone"), ("user_id", "ann"), ("anonymous_id", "new")
Said = tuple[int, tuple[Identifier, ...], str, bool]
"""At which second, under which identifiers, of which purpose, and whether it is allowed."""


def at(second: int) -> datetime:
    return BEGAN + timedelta(seconds=second)


def timelines(said: Sequence[Said]) -> dict[Identifier, list[Entry]]:
    found: dict[Identifier, list[Entry]] = {}
    for number, (second, identifiers, purpose, word) in enumerate(said):
        fact = orjson.dumps({"kind": "consent", "purpose": purpose, "allowed": word})
        entry = Entry((at(second) - EPOCH) // timedelta(milliseconds=1), f"m{number}:consent:0", fact)
        for one in identifiers:
            found.setdefault(one, []).append(entry)
    return found


def visitor(owners: dict[Identifier, OnlineProfile | None], said: Sequence[Said]) -> Visitor:
    """As the service reads them: the strongest identifier comes first."""
    told = timelines(said)
    parts = parts_of(owners, lambda one: told.get(one, []), NOW)
    entries = [entry for one in told for entry in told[one]]
    profile = next(iter(owners.values()))
    return Visitor(identifier=USER, profile=profile, recent=recent_behaviour(entries, NOW), parts=parts)


def profile(name: str, identifiers: Sequence[Identifier], **words: tuple[bool, int]) -> OnlineProfile:
    """`words`: of a purpose, what holds, and at which second anybody spoke of it last."""
    said = {purpose: at(second) for purpose, (_, second) in words.items()}
    figures = {f"consent_{purpose}": word for purpose, (word, _) in words.items()}
    return person(name, identifiers, consent_said=said, consent_said_at=max(said.values(), default=None), **figures)


@pytest.mark.parametrize(
    ("owners", "said", "holds"),
    {
        "a later yes of one half undoes no no of the other": (
            {USER: profile("p1", [USER], marketing=(False, 10)), NEW: None}, [(20, (NEW,), "marketing", True)], False,
        ),
        "nor where the lake knows both": (
            {USER: profile("p1", [USER], marketing=(False, 10)), PHONE: profile("p2", [PHONE], marketing=(True, 20))},
            [(20, (PHONE,), "marketing", True)], False,
        ),
        "nor where it knows neither": (
            {USER: None, NEW: None}, [(10, (USER,), "marketing", False), (20, (NEW,), "marketing", True)], False,
        ),
        "whoever was named first": (
            {USER: profile("p2", [USER], marketing=(True, 20)), PHONE: profile("p1", [PHONE], marketing=(False, 10))}, [], False,
        ),
        "until they speak as both": (
            {USER: profile("p1", [USER], marketing=(False, 10)), NEW: None}, [(30, (NEW, USER), "marketing", True)], True,
        ),
        "a no of one who came along, just now, under another name of theirs": (
            {USER: profile("p1", [USER], marketing=(True, 10)), PHONE: profile("p2", [PHONE, NEW])},
            [(20, (NEW,), "marketing", False)], False,
        ),
        "one person speaks for all their devices": (
            {USER: profile("p1", [USER, PHONE, NEW], marketing=(False, 10)), PHONE: profile("p1", [USER, PHONE, NEW], marketing=(False, 10))},
            [(20, (NEW,), "marketing", True)], True,
        ),
        "a no is no older than a yes on something else": (
            {USER: profile("p1", [USER], analytics=(True, 20))}, [(10, (USER,), "marketing", False)], False,
        ),
        "nor than a yes on the same, which the lake has of a time before it": (
            {USER: profile("p1", [USER], analytics=(True, 20), marketing=(True, 5))}, [(10, (USER,), "marketing", False)], False,
        ),
        "what the lake has heard of the purpose since goes before": (
            {USER: profile("p1", [USER], marketing=(True, 20))}, [(10, (USER,), "marketing", False)], True,
        ),
    }.values(),
)  # fmt: skip
def test_whose_word_holds_until_the_lake_knows_who_is_one(
    owners: dict[Identifier, OnlineProfile | None], said: Sequence[Said], holds: bool
) -> None:
    assert visitor(owners, said).said("marketing") is holds


def test_a_profile_of_a_release_that_did_not_keep_it_by_purpose_says_when_anything_was_said() -> None:
    old = person("p1", [USER], consent_said_at=at(20), consent_marketing=False)
    late, news = (recent_behaviour(timelines([(second, (USER,), "marketing", True)])[USER], NOW) for second in (10, 30))
    assert [Part(old, recent).said("marketing") for recent in (late, news)] == [False, True]


def test_of_one_person_there_are_no_parts_and_nobody_is_asked() -> None:
    ann = person("p1", [USER, PHONE])

    def never(_: Identifier) -> Sequence[Entry]:
        raise AssertionError("a look at a timeline for nothing")

    assert parts_of({USER: ann, PHONE: ann}, never, NOW) == ()
    assert parts_of({USER: ann, NEW: None}, lambda _: [], NOW) == ()
    assert [most_restrictive(words) for words in ([], [None], [True, None], [True, False])] == [None, None, True, False]


@given(st.integers(0, 2**32))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_nobody_is_reached_whom_the_lake_would_not_reach_once_it_knows_all(seed: int) -> None:
    """What was said up to some moment is in the lake, the rest only here; now they come under all their names at once, and are one."""
    chance = random.Random(seed)
    names: list[Identifier] = [USER, PHONE, NEW]
    said: list[Said] = [
        (second, tuple(chance.sample(names, chance.choice((1, 1, 2)))), chance.choice(PURPOSES), chance.random() < 0.5)
        for second in sorted(chance.sample(range(100), chance.randint(1, 7)))
    ]
    known = said[: chance.randint(0, len(said))]
    owners: dict[Identifier, OnlineProfile | None] = dict.fromkeys(names)
    for part in people(speakers(known)):
        identifiers = [one for one in names if ":".join(one) in part.identifiers]
        last = {
            purpose: max(second for second, who, of, _ in known if of == purpose and set(who) & set(identifiers))
            for purpose in part.held
        }
        words = {purpose: (held.is_allowed, last[purpose]) for purpose, held in part.held.items()}
        owners |= dict.fromkeys(identifiers, profile(":".join(identifiers[0]), identifiers, **words))
    asked = visitor(owners, said)
    here = Speaker("here", 200, [":".join(one) for one in names], [])
    for purpose, held in as_one(people([*speakers(said), here])).items():
        assert held.is_allowed or asked.said(purpose) is False, purpose


def speakers(said: Sequence[Said]) -> list[Speaker]:
    """Every bundle of identifiers is an actor, who turned up as it spoke first."""
    actors: dict[tuple[Identifier, ...], list[Statement]] = {}
    for number, (second, identifiers, purpose, word) in enumerate(said):
        actors.setdefault(tuple(sorted(identifiers)), []).append(Statement(purpose, second, f"m{number}", word))
    return [
        Speaker(str(who), min(one.at for one in told), [":".join(one) for one in who], told)
        for who, told in actors.items()
    ]
