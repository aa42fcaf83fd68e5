"""Features of any kind: missing, rare, constant, never seen; learned once, the same for one person as for all."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lakehouse.errors import SourceError
from lakehouse.targeting.encoding import MISSING, OTHER, Category, Encoding, Number, typed
from lakehouse.uplift.learned_encoding import encoding_of

values = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))


@given(arrays.arrays(np.float64, st.integers(2, 60), elements=values))
def test_codes_rise_with_values_and_missing_is_code_nought(numbers: np.ndarray) -> None:
    frame = pd.DataFrame({"x": numbers})
    encoding = encoding_of(frame)
    people = encoding.people(frame)
    assert np.isfinite(people.line).all()
    if "x" in encoding.left_out:
        assert len(np.unique(numbers[~np.isnan(numbers)])) < 2
        return
    codes, known = people.codes[:, 0], ~np.isnan(numbers)
    assert (codes[~known] == 0).all()
    assert (codes[known] > 0).all()
    order = np.argsort(numbers[known], kind="stable")
    assert (np.diff(codes[known][order].astype(int)) >= 0).all()


def test_few_values_have_a_code_each() -> None:
    frame = pd.DataFrame({"x": np.repeat([1.0, 5.0, 7.0], 10)})
    assert sorted(set(encoding_of(frame).people(frame).codes[:, 0].tolist())) == [1, 2, 3]


def test_text_is_levels_and_what_is_rare_or_new_is_one_level() -> None:
    frame = pd.DataFrame({"city": ["Ulm"] * 300 + ["Bonn"] * 200 + [None] * 100 + ["Hof"]})
    encoding = encoding_of(frame.apply(typed))
    assert encoding.columns == (Category(name="city", levels=(MISSING, "Bonn", "Ulm")),)
    people = encoding.people(pd.DataFrame({"city": ["Ulm", "Hof", "Rome", None]}))
    assert people.codes.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert OTHER not in encoding.columns[0].levels


def test_columns_that_say_nothing_are_left_out_with_the_reason() -> None:
    frame = pd.DataFrame(
        {"one": [3.0] * 50, "void": [None] * 50, "id": [f"c{n}" for n in range(50)], "same": ["a"] * 50, "x": range(50)}
    )
    encoding = encoding_of(frame.apply(typed))
    assert dict(encoding.left_out) == {
        "one": "it has one value only",
        "void": "it has no value",
        "id": "nearly every row has a value of its own",
        "same": "it has one value only",
    }
    assert [column.name for column in encoding.columns] == ["x"]


def test_numbers_in_text_are_numbers_unless_they_are_called_categories() -> None:
    column = pd.Series(["1", "2", None, "yes"])
    assert typed(column).tolist()[:2] == [1.0, 2.0]
    assert typed(pd.Series([1.0, 2.0, None]), is_category=True).tolist() == ["1", "2", MISSING]
    with pytest.raises(SourceError, match="'inf'"):
        typed(pd.Series([1.0, np.inf], name="x"))


def test_an_encoding_is_the_same_after_json_and_tells_what_it_lacks() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.5, np.nan, 9.0] * 30, "city": ["Ulm", "Bonn", "Ulm", "Hof"] * 30})
    encoding = encoding_of(frame)
    again = Encoding.from_parameters(json.loads(json.dumps(encoding.to_parameters())))
    assert again.columns == encoding.columns
    assert isinstance(again.columns[0], Number)
    np.testing.assert_array_equal(again.people(frame).line, encoding.people(frame).line)
    with pytest.raises(SourceError, match="no column 'city'"):
        again.people(frame[["x"]])
    with pytest.raises(SourceError, match="column 'x', row 1"):
        again.people(frame.assign(x="far"))
