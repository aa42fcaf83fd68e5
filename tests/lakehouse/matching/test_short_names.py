import duckdb
import pytest

from lakehouse.matching.short_names import are_one_name


def _answer(left: str, right: str) -> bool:
    ((found,),) = duckdb.sql(f"SELECT {are_one_name('a', 'b')} FROM (SELECT '{left}' AS a, '{right}' AS b)").fetchall()
    return bool(found)


@pytest.mark.parametrize(
    ("one", "other"), [("robert", "bob"), ("bob", "rob"), ("william", "bill"), ("margaret", "peggy"), ("jose", "pepe")]
)
def test_a_short_form_is_of_the_name_and_of_its_other_short_forms(one, other):
    assert _answer(one, other)
    assert _answer(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("robert", "bill"), ("bob", "bob"), ("ob", "rober"), ("b", "r"), ("", ""), ("x", "=")]
)
def test_anything_else_is_not(one, other):
    assert not _answer(one, other)
