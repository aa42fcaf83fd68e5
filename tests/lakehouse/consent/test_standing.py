"""Whose word holds: people who change their minds, merge and split, told out of order and twice, against a rule that looks backwards.

The rule under test goes along time and keeps who is one person. The one here starts at the end and asks who spoke last.
"""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.consent.standing import Speaker, Statement, as_one, people
from tests import consent_oracle as oracle


def speaker(actor: str, first_at: int, identifiers: str, **said: str) -> Speaker:
    """`said`: purpose -> `+3 -7`, a yes at 3 and a no at 7."""
    words = [
        Statement(purpose, int(word[1:]), f"{actor}{word}", word[0] == "+")
        for purpose, told in said.items()
        for word in told.split()
    ]
    return Speaker(actor, first_at, identifiers.split(), words)


def words(speakers: Sequence[Speaker], until: int | None = None) -> dict[str, bool]:
    return {purpose: held.is_allowed for purpose, held in as_one(people(speakers, until=until)).items()}


PHONE = speaker("phone", 1, "cookie:1", marketing="+2")
LAPTOP = speaker("laptop", 1, "cookie:2", marketing="-3 +5")
LOGIN = speaker("login", 10, "cookie:1 user:a")
THERE = speaker("there", 11, "cookie:2 user:a")


@pytest.mark.parametrize(
    ("speakers", "holds"),
    {
        "the later word of one actor": ([LAPTOP], True),
        "of two who are not one yet, most restrictive": ([PHONE, speaker("laptop", 1, "cookie:2", marketing="-1")], False),
        "who became one of two minds": ([speaker("phone", 1, "cookie:1", marketing="-2"), LAPTOP, LOGIN, THERE], False),
        "a later yes does not undo another's no by becoming one": (
            [speaker("phone", 1, "cookie:1", marketing="-2"), speaker("laptop", 1, "cookie:2", marketing="+9"), LOGIN, THERE],
            False,
        ),
        "until they speak again, by whatever device": (
            [speaker("phone", 1, "cookie:1", marketing="-2 +12"), LAPTOP, LOGIN, THERE],
            True,
        ),
        "before they were one is no speaking again": (
            [speaker("phone", 1, "cookie:1", marketing="-2"), speaker("laptop", 1, "cookie:2", marketing="+10"), LOGIN, THERE],
            False,
        ),
        "the event that joins them may speak": (
            [
                speaker("phone", 1, "cookie:1", marketing="-2"),
                LAPTOP,
                LOGIN,
                speaker("there", 11, "cookie:2 user:a", marketing="+11"),
            ],
            True,
        ),
        "a third who said nothing changes nothing": ([PHONE, LOGIN, speaker("new", 20, "cookie:3 user:a")], True),
        "a later merge with a no silences an earlier agreement": (
            [PHONE, LAPTOP, LOGIN, THERE, speaker("old", 2, "mail:x", marketing="-4"), speaker("mail", 30, "mail:x user:a")],
            False,
        ),
    }.values(),
)  # fmt: skip
def test_whose_word_holds(speakers: list[Speaker], holds: bool) -> None:
    assert words(speakers) == {"marketing": holds}


def test_a_split_gives_each_their_own_word_back() -> None:
    phone = speaker("phone", 1, "cookie:1", marketing="-2")
    assert words([phone, LAPTOP, LOGIN, THERE]) == {"marketing": False}
    assert words([LAPTOP, THERE]) == {"marketing": True}
    assert words([phone, LOGIN]) == {"marketing": False}


def test_a_purpose_is_not_silenced_by_another_and_the_losing_words_are_told() -> None:
    phone = speaker("phone", 1, "cookie:1", marketing="-2", analytics="+2")
    held = as_one(people([phone, LAPTOP, LOGIN, THERE]))
    assert {purpose: one.is_allowed for purpose, one in held.items()} == {"marketing": False, "analytics": True}
    assert [(one.message_id, one.at) for one in held["marketing"].over] == [("laptop+5", 5)]
    assert held["analytics"].over == ()


def test_at_a_past_moment_only_what_was_known_by_then_counts() -> None:
    world = [PHONE, speaker("laptop", 1, "cookie:2", marketing="-3"), LOGIN, THERE]
    before = {frozenset(one.actors): one.held["marketing"].is_allowed for one in people(world, until=9)}
    assert before == {frozenset({"phone"}): True, frozenset({"laptop"}): False}
    assert words(world, until=11) == {"marketing": False}
    assert words(world, until=0) == {}


@st.composite
def worlds(draw: st.DrawFn) -> list[Speaker]:
    chance = random.Random(draw(st.integers(0, 2**32)))
    return oracle.people(chance, draw(st.integers(1, 9)))


@given(worlds(), st.integers(0, 45), st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=250)
def test_as_a_rule_that_looks_backwards_says_in_any_order_and_told_twice(
    world: list[Speaker], until: int, chance: random.Random
) -> None:
    shuffled = [
        one._replace(statements=chance.sample([*one.statements, *one.statements], 2 * len(one.statements)))
        for one in chance.sample(world, len(world))
    ]
    assert oracle.told(people(shuffled, until=until)) == oracle.model(world, until)
    now = oracle.told(people(shuffled))
    assert now == oracle.model(world, 10**6)
    assert oracle.told(people(list(map(latest, shuffled)))) == now, (
        "the latest statement of each actor and purpose is enough"
    )
    subset = chance.sample(world, len(world) // 2)
    assert oracle.told(people(subset)) == oracle.model(subset, 10**6), "whoever was split off has no say"


def latest(one: Speaker) -> Speaker:
    kept = {said.purpose: said for said in sorted(one.statements, key=lambda said: (said.at, said.message_id))}
    return one._replace(statements=list(kept.values()))


@given(worlds())
@settings(derandomize=True, deadline=None, max_examples=250)
def test_nobody_is_reached_against_their_word(world: list[Speaker]) -> None:
    """Whoever may be reached has answered every no of theirs with a yes, said by who was then proven to be them."""
    for purpose, held in as_one(people(world)).items():
        if not held.is_allowed:
            continue
        said = [(one, word) for one in world for word in one.statements if word.purpose == purpose]
        for who, refusal in said:
            if refusal.is_allowed:
                continue
            assert any(
                yes.is_allowed
                and (yes.at, yes.message_id) > (refusal.at, refusal.message_id)
                and any(
                    {who.actor_id, speaking.actor_id} <= {one.actor_id for one in part}
                    for part in oracle.parts([one for one in world if one.first_at <= yes.at])
                )
                for speaking, yes in said
            ), (who, refusal)
