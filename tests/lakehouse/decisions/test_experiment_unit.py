"""The arm that is told first stays, whoever somebody turns out to be; and a person is in one arm in the end."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.decisions.experiment_unit import FirstUnit, Units, unit_keys, units_told
from lakehouse.decisions.visitor import Visitor
from lakehouse.events.identifier import Identifier
from lakehouse.online.recent_behaviour import recent_behaviour
from tests.online_people import SEEN, person

COOKIES: list[Identifier] = [("anonymous_id", letter) for letter in "abcdef"]


class Shop:
    """Profiles as sets of cookies, and the documents that are kept."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes | None] = {}
        self.profiles: dict[Identifier, tuple[str, list[Identifier]]] = {}
        self.now_ms = 0

    def ask(self, cookie: Identifier) -> str:
        """As whom they are counted; it is kept, as every caller keeps it."""
        self.now_ms += 1
        profile_id, members = self.profiles.get(cookie, (None, []))
        profile = None if profile_id is None else person(profile_id, members)
        keys = unit_keys(list(dict.fromkeys([cookie, *members])), profile)
        units = units_told(keys, {key: self.documents.get(key) for key in keys})
        visitor = Visitor(identifier=cookie, profile=profile, recent=recent_behaviour([], SEEN), units=units)
        for document in units.to_tell(visitor.unit, self.now_ms):
            self.documents.setdefault(document.key, document.value)
        return visitor.unit

    def join(self, *cookies: Identifier) -> None:
        """A profile appears, or profiles merge: the oldest gives its name."""
        known = [self.profiles.get(cookie, (f"p-{cookie[1]}", [cookie])) for cookie in cookies]
        members = sorted({member for _, of_one in known for member in of_one})
        self.profiles |= dict.fromkeys(members, (min(profile_id for profile_id, _ in known), members))


def test_nothing_changes_when_a_profile_appears_and_by_whatever_device_they_come_then() -> None:
    shop = Shop()
    first = shop.ask(COOKIES[0])
    shop.join(COOKIES[0])
    assert shop.ask(COOKIES[0]) == first == "anonymous_id:a"
    shop.join(COOKIES[0], COOKIES[1])
    assert shop.ask(COOKIES[1]) == first


def test_of_two_people_who_turn_out_to_be_one_the_first_told_holds() -> None:
    shop = Shop()
    assert [shop.ask(cookie) for cookie in COOKIES[:2]] == ["anonymous_id:a", "anonymous_id:b"]
    shop.join(COOKIES[1], COOKIES[0])
    assert {shop.ask(cookie) for cookie in COOKIES[:2]} == {"anonymous_id:a"}


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.lists(st.sampled_from(COOKIES), min_size=1, max_size=1)),
    st.tuples(st.just("join"), st.lists(st.sampled_from(COOKIES), min_size=1, max_size=3, unique=True)),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(STEPS, max_size=30))
def test_whoever_was_told_keeps_it_unless_they_merge_with_somebody_told_earlier(steps: list[Any]) -> None:
    """Oracle: every person is a set of cookies, and counts as the earliest that any of these was told."""
    shop = Shop()
    told: dict[Identifier, tuple[int, str]] = {}
    for kind, cookies in steps:
        if kind == "join":
            shop.join(*cookies)
            continue
        (cookie,) = cookies
        members = shop.profiles.get(cookie, ("", [cookie]))[1]
        before = min((told[member] for member in members if member in told), default=None)
        unit = shop.ask(cookie)
        assert before is None or unit == before[1]
        told |= dict.fromkeys(members, before or (shop.now_ms, unit))


def test_it_is_told_where_they_ask_and_at_the_profile() -> None:
    keys = unit_keys(COOKIES, person("p", COOKIES))
    untold = Units(None, (keys[0], keys[-1]))
    assert units_told(keys, dict.fromkeys(keys)) == untold
    assert [document.key for document in untold.to_tell("u", 5)] == ["unit:anonymous_id:a", "unit:profile_id:p"]
    held = {document.key: document.value for document in untold.to_tell("u", 5)}
    assert units_told(keys, dict.fromkeys(keys) | held) == Units(FirstUnit(5, "u"))
