"""Links that only we make and read, and that tell nobody else whose they are."""

import base64
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.actions.unsubscribe_links import PATH, UnsubscribeLinks, links_of
from lakehouse.config import load
from lakehouse.errors import ConfigError

OLD, NEW, OTHER = ("k" * 32, "n" * 32, "o" * 32)
SHOP = "https://shop.example.com/"
ANA = "ana.maria@example.com"


def token(url: str) -> str:
    return url.removeprefix(SHOP.rstrip("/") + PATH)


@given(st.emails())
def test_a_link_leads_back_to_its_address_and_shows_nothing_of_it(email: str) -> None:
    links = UnsubscribeLinks([OLD], SHOP)
    made = token(links.url(email))
    assert links.email(made) == email
    plain = made.encode() + base64.urlsafe_b64decode(made)
    assert email.encode() not in plain
    assert made != token(links.url(email))  # nor can two letters be told to be of one person


def test_a_key_can_be_replaced_and_taken_away() -> None:
    made = token(UnsubscribeLinks([OLD], SHOP).url(ANA))
    assert UnsubscribeLinks([NEW, OLD], SHOP).email(made) == ANA
    assert UnsubscribeLinks([OLD], SHOP).email(token(UnsubscribeLinks([NEW, OLD], SHOP).url(ANA))) is None
    assert UnsubscribeLinks([NEW], SHOP).email(made) is None


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_link_with_one_bit_changed_is_none(place: int, change: int) -> None:
    links = UnsubscribeLinks([OLD], SHOP)
    data = bytearray(base64.urlsafe_b64decode(token(links.url(ANA))))
    data[place % len(data)] ^= change
    assert links.email(base64.urlsafe_b64encode(data).decode()) is None


@pytest.mark.parametrize("text", ["", "x", "é", "\0", "gAAAAA", "a" * 100_000, "../../etc"])
def test_what_is_no_link_is_nobodys(text: str) -> None:
    assert UnsubscribeLinks([OLD], SHOP).email(text) is None


def test_letters_leave_to_the_world_only_with_a_link_over_https() -> None:
    config = load("dev", environ={})
    told = dataclasses.replace(config, serving=dataclasses.replace(config.serving, public_url=SHOP))
    no_key = dataclasses.replace(told, mail=dataclasses.replace(told.mail, unsubscribe_keys=()))
    found = links_of(told, is_private=False)
    assert found is not None
    assert found.url(ANA).startswith("https://shop.example.com/unsubscribe/")
    for faulty in (config, no_key):
        with pytest.raises(ConfigError, match=r"mail.unsubscribe_keys, serving.public_url"):
            links_of(faulty, is_private=False)
    assert links_of(no_key, is_private=True) is None
    assert links_of(config, is_private=True) is not None
