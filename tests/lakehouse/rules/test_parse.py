"""What gets through the parser, and what is told of what does not."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import RuleError
from lakehouse.rules.parse import parse


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("segment = (select 1)", "subquery"),
        ("frequecy > 1", "unknown column 'frequecy'; did you mean 'frequency'?"),
        ("event.segment = 'x'", "unknown column"),
        ("java_method('java.lang.System', 'exit') = 'x'", "is not allowed"),
        ("reflect('java.lang.System', 'exit') = 'x'", "function 'reflect' is not allowed"),
        ("count(*) > 1", "function 'count' is not allowed"),
        ("sum(price) over () > 1", "is not allowed"),
        ("exists(cart, x -> x = 'a')", "is not allowed"),
        ("segment rlike '(a+)+'", "is not allowed"),
        ("cast(price as int) = 1", "casts are not allowed"),
        ("true; drop table x", "2 statements"),
        ("select 1", "'select' is not allowed"),
        ("segment = 1", "cannot take (text, number)"),
        ("price", "got a number, expected true or false"),
        ("segment = 'a\\\\'", "backslash"),
        ("hour(from_utc_timestamp(now, 'Mars/Base')) = 1", "zone 'Mars/Base'"),
        ("hour(from_utc_timestamp(now, 'America/Coyhaique')) = 1", "zone 'America/Coyhaique'"),
        ("now - interval 3 fortnights < now", "unit of time"),
        ("segment in (null)", "without null"),
        ("segment like device", "a pattern in quotes"),
        ("case segment when 'a' then true end", "CASE <value> WHEN is not allowed"),
        ("dayofweek(to_date(now)) = 1 and to_date(now) = now", "is not allowed"),
        ("true /* quiet */", "comment"),
        ("(" * 500 + "true" + ")" * 500, "no SQL expression"),
        ("price > 1 and " * 400 + "true", "at most 4000"),
        ("", "expected one expression"),
        ("`", "no SQL expression"),
    ],
)
def test_what_is_not_allowed_is_told(text: str, told: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert told in str(caught.value)


@given(st.one_of(st.text(max_size=60), st.text("()'\"`;,.=<>!+-*/%| abcnotradselectfmwhui01\n", max_size=60)))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with contextlib.suppress(RuleError):
        assert parse(text).type == "boolean"
