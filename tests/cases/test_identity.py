"""What senders say of who they are (identity.jsonl): nobody is taken apart, and nobody joined with somebody else.

Each case is a lake of its own in memory: events read as serving reads them, the graph solved as a micro-batch solves it, in the order
they came and reversed.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events.identifiers import Resolver
from lakehouse.events.reader import Reader
from lakehouse.events.sender import actor_id
from lakehouse.identity.hubs import over_cap
from lakehouse.identity.solve import solve

CASES = {
    case["case"]: case
    for case in map(json.loads, Path(__file__).with_name("identity.jsonl").read_text("utf-8").splitlines())
}
CONFIG = load("dev", environ={})
ARRIVED = datetime(2026, 11, 28, tzinfo=UTC)
READER, RESOLVER = Reader(CONFIG), Resolver(CONFIG)


def profiles(events: Sequence[Mapping[str, Any]], reader: Reader = READER) -> dict[str, str]:
    """message id -> profile."""
    actor_of, edges, seen = {}, [], {}
    for event in events:
        bundle = reader.identifiers(event)
        actor = actor_of[event["messageId"]] = actor_id(bundle)
        edges += [(actor, *identifier) for identifier in bundle]
        at = READER.occurred_at(event, ARRIVED).replace(tzinfo=None)
        seen[actor] = min(at, seen.get(actor, at))
    frame = pd.DataFrame(
        edges, columns=["actor_id", "identifier_type", "identifier_token"], dtype="str"
    ).drop_duplicates()
    actors = pd.DataFrame(
        {
            "actor_id": pd.Series(list(seen), dtype="str"),
            "first_seen_at": pd.Series(list(seen.values()), dtype="datetime64[us]"),
        }
    )
    rules = CONFIG.identity.rules
    solved = solve(frame, actors, rules, hubs=over_cap(frame, actors, rules)).set_index("actor_id")["profile_id"]
    return {message: solved[actor] for message, actor in actor_of.items()}


@pytest.fixture(params=[False, True], ids=["in order", "reversed"])
def of(request: pytest.FixtureRequest) -> Any:
    """The profiles of a case by message id."""
    return lambda case: profiles(CASES[case]["events"][:: -1 if request.param else 1])


def groups(found: dict[str, str], *prefixes: str) -> list[set[str]]:
    return [{found[message] for message in prefix.split()} for prefix in prefixes]


def test_a_customer_of_a_hundred_and_one_cookies_is_one(of: Any) -> None:
    assert len(set(of("D01-a-hundred-and-one-cookies").values())) == 1


def visit(number: int, traits: Mapping[str, str]) -> dict[str, Any]:
    """The call of a new cookie, a minute after the one before."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    sent = {"type": "identify", "messageId": f"v{number:03}", "anonymousId": f"c-{number}", "timestamp": at.isoformat()}
    return sent | {"traits": dict(traits)}


@pytest.mark.parametrize("seed", range(3))
def test_a_customer_of_three_hundred_cookies_and_one_address_is_not_taken_apart(seed: int) -> None:
    """What came first stays together, whatever arrives first; what is beyond the cap is alone."""
    sent = [visit(number, {"email": "ann@shop.de"}) for number in range(300)]
    random.Random(seed).shuffle(sent)
    found = profiles(sent)
    assert len({found[f"v{number:03}"] for number in range(200)}) == 1
    assert len(set(found.values())) == 101


def test_an_address_that_a_call_centre_gives_for_everybody_joins_nobody() -> None:
    sent = [visit(number, {"email": "ann@shop.de", "phone": f"+1201555{number:04}"}) for number in range(100, 400)]
    assert len(set(profiles([one for one in sent if "phone" in one["traits"]]).values())) == 300


def test_a_friends_address_joins_nobody(of: Any) -> None:
    found = of("D02-invites-carry-the-friends-address")
    assert len({profile for message, profile in found.items() if message != "d02-f"}) == 1
    assert found["d02-f"] != found["d02-o"]


def test_an_address_is_one_login_in_any_spelling(of: Any) -> None:
    assert len(set(of("D03-email-as-userid-in-two-spellings").values())) == 1


def test_two_people_at_one_cookie_are_two(of: Any) -> None:
    found = of("D04-userid-was-the-email-is-a-number-now")
    assert not {found["d04-1"], found["d04-2"]} & {found["d04-3"], found["d04-4"]}
    found = of("D09-reset-keeps-the-cookie")
    assert found["d09-2"] != found["d09-4"]


def test_guests_of_one_address_are_left_apart_and_can_be_told_to_be_one(of: Any) -> None:
    """A user_id is unique unless the shop says otherwise: then the address makes its three guests one."""
    assert len(set(of("D05-guest-checkouts-with-a-new-userid-each").values())) == 3


GUESTS = Reader(load("dev", environ={"STITCHLAKE__IDENTITY__GUEST_SOURCES": "shopify"}))
CHECKOUT = st.fixed_dictionaries(
    {"user": st.integers(1, 6), "email": st.sampled_from([None, "ann@shop.de", "bob@shop.de", "cy@shop.de"])}
)


def checkout(number: int, told: Mapping[str, Any], library: str = "shopify") -> dict[str, Any]:
    traits = {} if told["email"] is None else {"email": told["email"]}
    sent = {"type": "identify", "messageId": f"m{number}", "userId": str(told["user"]), "traits": traits}
    return sent | {"timestamp": "2026-11-27T10:00:00Z", "context": {"library": {"name": library}}}


@pytest.mark.parametrize("step", [1, -1])
def test_guests_of_one_address_are_one_where_the_shop_says_that_its_ids_are_new_at_each_checkout(step: int) -> None:
    sent = CASES["D05-guest-checkouts-with-a-new-userid-each"]["events"][::step]
    assert len(set(profiles([one | {"channel": "Shopify"} for one in sent], GUESTS).values())) == 1
    assert len(set(profiles([one | {"channel": "web"} for one in sent], GUESTS).values())) == 3


@given(st.lists(CHECKOUT, max_size=12), st.randoms(use_true_random=False))
def test_an_id_of_a_guest_ties_its_own_checkout_and_never_tells_two_apart(told: list[Any], chance: Any) -> None:
    """Against a plain search: who shares an id or an address with somebody, and so on, is one person."""
    events = [checkout(number, one) for number, one in enumerate(told)]
    chance.shuffle(events)
    found = profiles(events, GUESTS)
    assert found.keys() == {f"m{number}" for number in range(len(told))}
    for first, one in enumerate(told):
        reached, known = {first}, {("user", one["user"]), ("email", one["email"])} - {("email", None)}
        while new := {n for n, other in enumerate(told) if n not in reached and known & set(other.items())}:
            reached |= new
            known |= {pair for n in new for pair in told[n].items() if pair[1] is not None}
        same = {number for number in range(len(told)) if found[f"m{number}"] == found[f"m{first}"]}
        assert same == reached


def test_a_guests_id_is_not_the_same_id_of_a_customer() -> None:
    guest, customer = checkout(0, {"user": 1, "email": None}), checkout(1, {"user": 1, "email": None}, "analytics.js")
    assert len(set(profiles([guest, customer], GUESTS).values())) == 2
    assert GUESTS.identifiers(guest) == [("guest_id", "1")]


def test_spellings_of_an_address_are_one(of: Any) -> None:
    found = of("D06-spellings-of-an-address")
    assert groups(found, " ".join(f"d06-{n}" for n in range(7)), "d06-7 d06-8") == [{found["d06-0"]}, {found["d06-7"]}]
    assert found["d06-0"] != found["d06-7"]


def test_spellings_of_a_telephone_are_one(of: Any) -> None:
    found = of("D07-spellings-of-a-telephone")
    lines = [range(6), range(6, 8), range(8, 10), range(10, 16)]
    names = [{found[f"d07-{n}"] for n in line} for line in lines]
    assert [len(name) for name in names] == [1] * 4
    assert len(set.union(*names)) == 4


def test_two_people_who_swap_addresses_stay_two(of: Any) -> None:
    found = of("D08-two-users-swap-addresses")
    assert found["d08-1"] == found["d08-3"] == found["d08-5"] != found["d08-2"] == found["d08-4"]


def test_a_ring_of_aliases_ends(of: Any) -> None:
    found = of("D11-alias-chain-and-cycle")
    assert found["d11-0"] == found["d11-1"]
    assert found["d11-5"] != found["d11-1"]


def test_the_people_of_an_office_are_not_one(of: Any) -> None:
    assert len(set(of("D12-an-office-mailbox").values())) == 3
