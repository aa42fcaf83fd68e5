from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.messages.limits import is_too_deep

JSON = st.recursive(
    st.none() | st.integers(-5, 5) | st.text('{}[]"\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}[]"\\a', max_size=4), inner, max_size=3),
    max_leaves=20,
)


def levels(value: Any) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(levels, inner), default=0)
    return 0


@given(JSON, st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_nesting_is_counted_as_a_parser_would(value: Any, most: int) -> None:
    assert is_too_deep(orjson.dumps(value), most) == (levels(value) > most)
