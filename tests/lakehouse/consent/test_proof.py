"""The basis of every purpose: which row, by which rule, now and at any moment before."""

import pytest

from lakehouse.consent.defaults import Defaults
from lakehouse.consent.proof import Actor, Row, Verdict, verdicts

DEFAULTS = Defaults(
    never_asked=False, by_jurisdiction={"US": ("sale",)}, purposes=("analytics", "personalization", "marketing", "sale")
)
PHONE = Actor("phone", 1, ["cookie:1"])
LAPTOP = Actor("laptop", 2, ["cookie:2"])
LOGIN = Actor("login", 10, ["cookie:1", "user:a"])
THERE = Actor("there", 11, ["cookie:2", "user:a"])
ALL = [THERE, LOGIN, PHONE, LAPTOP]


def row(actor: str, at: int, purpose: str, status: str = "granted", source: str = "categories") -> Row:
    return Row(actor, f"{actor}-{at}", purpose, at, status, source, None, None, None)


YES, NO = row("laptop", 5, "marketing"), row("phone", 3, "marketing", "denied")
SIGNAL = row("login", 10, "marketing", "denied", "gpc")
UNREAD = row("laptop", 6, "*", "unsaid")


def found(actors: list[Actor], rows: list[Row], until: int | None = None, named: str = "phone") -> dict[str, Verdict]:
    told = verdicts(actors, rows, {named}, DEFAULTS, jurisdictions=["US"], until=until)
    assert [one.purpose for one in told] == list(DEFAULTS.purposes)
    return {one.purpose: one for one in told}


def test_of_who_became_one_the_no_holds_and_the_yes_is_told() -> None:
    told = found(ALL, [YES, NO])
    assert told["marketing"] == Verdict("marketing", False, "most restrictive", NO, (YES,))
    assert told["analytics"] == Verdict("analytics", False, "left out", YES)
    assert told["sale"] == Verdict("sale", False, "left out", YES)


def test_who_spoke_again_has_said_it() -> None:
    again = row("phone", 20, "marketing")
    assert found(ALL, [YES, NO, again])["marketing"] == Verdict("marketing", True, "said", again)


@pytest.mark.parametrize(
    ("until", "named", "holds"),
    [
        (2, "phone", Verdict("marketing", False, "never asked", None)),
        (3, "phone", Verdict("marketing", False, "said", NO)),
        (10, "phone", Verdict("marketing", False, "said", NO)),
        (4, "laptop", Verdict("marketing", False, "never asked", None)),
        (5, "laptop", Verdict("marketing", True, "said", YES)),
        (10, "laptop", Verdict("marketing", True, "said", YES)),
        (11, "laptop", Verdict("marketing", False, "most restrictive", NO, (YES,))),
    ],
)
def test_at_a_moment_they_are_who_they_were_by_then(until: int, named: str, holds: Verdict) -> None:
    assert found(ALL, [YES, NO], until, named)["marketing"] == holds


def test_nobody_asked_is_as_where_they_are_and_a_signal_asks_nobody() -> None:
    assert found([LOGIN], [])["sale"] == Verdict("sale", True, "never asked", None)
    told = found([LOGIN], [SIGNAL])
    assert told["marketing"] == Verdict("marketing", False, "said", SIGNAL)
    assert told["sale"] == Verdict("sale", True, "never asked", None)
    assert found([LAPTOP], [UNREAD])["sale"] == Verdict("sale", False, "left out", UNREAD)
