"""Names follow the documented rule and are never given twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.models.segment_names import Behaviour, ProspectBehaviour, prospect_names, segment_names


def means(gaps: float, f: int, m: int, frequency: float, monetary: float = 10.0) -> Behaviour:
    return Behaviour(recency_gaps=gaps, f_score=f, m_score=m, frequency=frequency, monetary=monetary)


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        (means(0.5, 5, 5, 9.0), "champions"),
        (means(1.0, 5, 4, 9.0), "loyal customers"),
        (means(1.1, 5, 5, 9.0), "lapsing loyal customers"),
        (means(3.1, 5, 1, 2.0), "lost loyal customers"),
        (means(0.5, 5, 4, 1.9), "recent repeat buyers"),
        (means(3.0, 3, 5, 1.2), "lapsing big spenders"),
        (means(0.2, 1, 1, 1.0), "recent one-time buyers"),
        (means(9.0, 4, 4, 1.5), "lost repeat buyers"),
    ],
)
def test_a_segment_is_named_by_the_rule(segment: Behaviour, name: str) -> None:
    assert segment_names([segment]) == (name,)


def test_segments_of_one_name_are_told_apart_by_spend() -> None:
    twins = [means(5, 1, 1, 1.0, monetary) for monetary in (5.0, 50.0)]
    assert segment_names(twins) == ("lost one-time buyers, lower spend", "lost one-time buyers, higher spend")


@given(
    st.lists(
        st.builds(means, st.floats(0, 10), st.integers(1, 5), st.integers(1, 5), st.floats(1, 20), st.floats(-5, 500)),
        min_size=1,
        max_size=12,
    )
)
def test_no_two_segments_share_a_name(segments: list[Behaviour]) -> None:
    assert len(set(segment_names(segments))) == len(segments)


@pytest.mark.parametrize(
    ("days", "views", "carts", "name"),
    [
        (7.0, 9.0, 0.5, "recent cart abandoners"),
        (7.1, 5.0, 0.4, "lapsing keen browsers"),
        (30.0, 4.9, 0.0, "lapsing browsers"),
        (30.1, 0.5, 0.0, "lost browsers"),
        (1.0, 0.4, 0.0, "recent passers-by"),
    ],
)
def test_prospects_are_named_by_the_rule(days: float, views: float, carts: float, name: str) -> None:
    assert prospect_names([ProspectBehaviour(days=days, views=views, carts=carts)]) == (name,)


def test_prospects_of_one_name_are_told_apart_by_looks() -> None:
    twins = [ProspectBehaviour(days=1.0, views=views, carts=0.0) for views in (6.0, 60.0)]
    assert prospect_names(twins) == ("recent keen browsers, lower looks", "recent keen browsers, higher looks")
