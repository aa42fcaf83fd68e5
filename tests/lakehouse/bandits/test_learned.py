"""However exposures are dealt out, repeated and reordered, each counts once, and the sums are the same to the last bit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.bandits.learned import Learned, Settled
from lakehouse.bandits.state import BanditState, Policy
from lakehouse.errors import ModelError

THOMPSON, LINUCB = Policy(kind="thompson"), Policy(kind="linucb", features=2)
EXPOSURES = st.lists(
    st.builds(
        Settled,
        due_ms=st.integers(0, 50),
        decision_id=st.uuids().map(str),
        arm=st.sampled_from("ab"),
        features=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
        reward=st.floats(0, 1),
    ),
    max_size=25,
    unique_by=lambda one: one.decision_id,
)


@pytest.mark.parametrize("policy", [THOMPSON, LINUCB], ids=lambda policy: policy.kind)
@given(exposures=EXPOSURES, data=st.data())
def test_counted_at_any_times_and_again_they_are_counted_once(
    policy: Policy, exposures: list[Settled], data: st.DataObject
) -> None:
    at_once = Learned(state=BanditState(policy)).counted(exposures)
    bit_by_bit = Learned(state=BanditState(policy))
    for now in [*sorted(data.draw(st.lists(st.integers(0, 50)))), 50]:
        due = data.draw(st.permutations([one for one in exposures if one.due_ms <= now]))
        bit_by_bit = bit_by_bit.counted([*due, *due])
        bit_by_bit = Learned.from_json(json.loads(json.dumps(bit_by_bit.to_json())), policy)
    assert bit_by_bit.state.to_json() == at_once.state.to_json()
    assert (bit_by_bit.count, bit_by_bit.through) == (len(exposures), at_once.through)
    assert bit_by_bit.counted(exposures) is bit_by_bit


def test_what_is_counted_leaves_the_state_before_it_alone() -> None:
    before = Learned(state=BanditState(THOMPSON))
    after = before.counted([Settled(1, "d", "a", (), 1.0)])
    assert (before.count, before.state.to_json()["arms"]) == (0, {})
    assert (after.version, after.state.to_json()["arms"]) == (1, {"a": [1.0, 1.0]})


def test_what_cannot_be_learned_from_is_counted_as_left_out() -> None:
    learned = Learned(state=BanditState(LINUCB)).counted(
        [Settled(1, "c", "a", (1.0, 0.0), 1.0), Settled(2, "d", "a", (1.0, 0.0, 3.0), 1.0)]
    )
    assert (learned.count, learned.left_out, learned.through) == (2, 1, (2, "d"))


def test_sums_are_read_under_a_policy_that_explores_otherwise_and_no_other() -> None:
    written = Learned(state=BanditState(THOMPSON)).counted([Settled(1, "c", "a", (), 1.0)]).to_json()
    bolder = Policy(kind="thompson", explore=0.5)
    assert Learned.from_json(written, bolder).state.policy == bolder
    with pytest.raises(ModelError, match="Start anew"):
        Learned.from_json(written, LINUCB)
    with pytest.raises(ModelError, match="Build it again"):
        Learned.from_json({}, THOMPSON)
