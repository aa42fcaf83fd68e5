"""Alias, group, shared and handed-on devices: messages as libraries send them, through the real parser, to people.

All messages are parsed in one Spark run; every case is solved by itself.
"""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.events.parse import parse
from tests.lakehouse.identity.told_events import CONFIG, Told, end_states, people, streamed
from tests.rows import message, records, track

Messages = list[dict[str, Any]]


def said(name: str, minute: int, type_: str = "track", **fields: Any) -> dict[str, Any]:
    """A message of its own id and minute; no anonymousId unless given."""
    at = f"2025-01-30T10:{minute:02}:00Z"
    given = {"anonymousId": None, "timestamp": at} | fields
    return track(message_id=name, **given) if type_ == "track" else message(type_, name, **given)


def on(device: str, **fields: Any) -> dict[str, Any]:
    return fields | {"context": {"device": {"id": device}}}


WORKS = {"name": "Initech", "email": "office@initech.com", "phone": "+1 650 253 0000"}

# case -> (messages, the people they are, as names of messages)
CASES: dict[str, tuple[Messages, list[str]]] = {
    "alias: what the cookie did is the user's": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("alias", 2, "alias", previousId="anon-0", userId="ann"),
            said("order", 3, userId="ann"),
        ],
        ["visit alias order"],
    ),
    "alias that comes with an anonymousId of its own": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("app", 2, anonymousId="anon-1"),
            said("alias", 3, "alias", previousId="anon-0", anonymousId="anon-1", userId="ann"),
        ],
        ["visit app alias"],
    ),
    "alias of an address": (
        [
            said("visit", 1, anonymousId="Ann@Example.com"),
            said("alias", 2, "alias", previousId="Ann@Example.com", userId="ann"),
        ],
        ["visit alias"],
    ),
    "alias of one user to another: two users stay two": (
        [
            said("old", 1, userId="ann-1"),
            said("new", 2, userId="ann-2"),
            said("alias", 3, "alias", previousId="ann-1", userId="ann-2"),
        ],
        ["old", "new alias"],
    ),
    "alias of nobody": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("alias ann", 2, "alias", previousId="null", userId="ann"),
            said("alias bob", 3, "alias", previousId="null", userId="bob"),
        ],
        ["visit", "alias_ann", "alias_bob"],
    ),
    "a previousId that is no alias": (
        [
            said("ann", 1, userId="ann", previousId="page-1"),
            said("visit", 2, anonymousId="page-1"),
        ],
        ["ann", "visit"],
    ),
    "group: those who work together stay apart": (
        [
            said("ann", 1, "group", groupId="initech", userId="ann", traits=WORKS),
            said("bob", 2, "group", groupId="initech", userId="bob", traits=WORKS),
            said("visit", 3, "group", groupId="initech", anonymousId="anon-0", traits=WORKS),
            said("other", 4, "group", groupId="initech", anonymousId="anon-1", traits=WORKS),
            said("office", 5, "identify", userId="office", traits={"email": "office@initech.com"}),
        ],
        ["ann", "bob", "visit", "other", "office"],
    ),
    "group: its e-mail and telephone tie nobody": (
        [
            said("visit", 1, "group", groupId="initech", anonymousId="anon-0", traits=WORKS),
            said("other", 2, "group", groupId="initech", anonymousId="anon-1", traits=WORKS),
        ],
        ["visit", "other"],
    ),
    "group: it ties cookie and user like any other call, and an address of the sender counts": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("group", 2, "group", groupId="initech", userId="ann", anonymousId="anon-0"),
            said(
                "mail",
                3,
                "group",
                groupId="initech",
                anonymousId="anon-1",
                context={"traits": {"email": "ann@example.com"}},
            ),
            said("identify", 4, "identify", userId="ann", traits={"email": "ann@example.com"}),
        ],
        ["visit group mail identify"],
    ),
    "a device of two logins: two people, and who does not log in is a third": (
        [
            said("ann", 1, userId="ann", **on("tablet")),
            said("bob", 2, userId="bob", **on("tablet")),
            said("film", 3, **on("tablet")),
            said("late film", 4, **on("tablet")),
        ],
        ["ann", "bob", "film late_film"],
    ),
    "a device used anonymously, then a login": (
        [
            said("visit", 1, anonymousId="anon-0", **on("phone")),
            said("order", 2, anonymousId="anon-0", userId="ann", **on("phone")),
            said("web", 3, anonymousId="anon-9", userId="ann"),
        ],
        ["visit order web"],
    ),
    "a logout that resets the cookie, then another login": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("ann", 2, anonymousId="anon-0", userId="ann"),
            said("after", 3, anonymousId="anon-1"),
            said("bob", 4, anonymousId="anon-1", userId="bob"),
        ],
        ["visit ann", "after bob"],
    ),
    "a logout that keeps the cookie, then another login": (
        [
            said("visit", 1, anonymousId="anon-0"),
            said("ann", 2, anonymousId="anon-0", userId="ann"),
            said("bob", 3, anonymousId="anon-0", userId="bob"),
        ],
        ["visit", "ann", "bob"],
    ),
}


@pytest.fixture(scope="module")
def parsed(_session: SparkSession) -> dict[str, list[Told]]:
    """The accepted events of every case."""
    sent = [(case, each) for case, (messages, _) in CASES.items() for each in messages]
    columns = ("offset", "message_id", "occurred_at", "identifiers", "actor_id", "reason", "detail")
    rows = parse(records(_session, [each for _, each in sent]), CONFIG).select(*columns).orderBy("offset").collect()
    found: dict[str, list[Told]] = {case: [] for case in CASES}
    for (case, _), row in zip(sent, rows, strict=True):
        assert (row["reason"], row["detail"]) == (None, None), row["message_id"]
        identifiers = tuple((entry["type"], entry["token"]) for entry in row["identifiers"])
        name = row["message_id"].replace(" ", "_")
        found[case].append(Told(name=name, at=row["occurred_at"], identifiers=identifiers))
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_people_of(parsed: dict[str, list[Told]], case: str) -> None:
    expected = {frozenset(group.split()) for group in CASES[case][1]}
    assert people(streamed(parsed[case]).profiles()) == expected
    assert len(end_states(parsed[case])) == 1


def test_a_login_joins_and_a_second_one_splits(parsed: dict[str, list[Told]]) -> None:
    graph = streamed(parsed["a logout that keeps the cookie, then another login"])
    assert graph.log == [
        ("create", "visit", None, "visit"),
        ("attach", "ann", None, "visit"),
        ("split", "ann", "visit", "ann"),
        ("create", "bob", None, "bob"),
    ]


def test_the_traits_of_a_group_identify_nobody(parsed: dict[str, list[Told]]) -> None:
    ann = parsed["group: those who work together stay apart"][0]
    assert ann.identifiers == (("user_id", "ann"),)
