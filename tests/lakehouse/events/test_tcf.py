"""TC strings: one that the IAB publishes, and strings written bit by bit from the specification's list of fields."""

import base64
from collections.abc import Collection

import pytest

from lakehouse.events.tcf import TcString, decode

# Of the specification; what it says is stated by the tests of several decoders: CMP 27, vendor list 15, policy 2, purposes 1, 2 and 3.
PUBLISHED = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"
VENDORS = "IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"


def written(purposes: Collection[int], *, version: int = 2, policy: int = 4, vendors: int = 73, one: int = 0) -> str:
    """A core: every field that lies before publisherCC and that one, by its number of bits."""
    said = "".join("1" if number in purposes else "0" for number in range(1, 25))
    fields = [(version, 6), (0, 36), (0, 36), (27, 12), (1, 12), (3, 6), (195, 12), (vendors, 12), (policy, 6), (1, 1)]
    bits = "".join(f"{value:0{size}b}" for value, size in fields) + "0" + "0" * 12 + said + "1" * 24 + str(one)
    bits += f"{3:06b}{4:06b}" + "0" * 17
    bits += "0" * (-len(bits) % 8)
    return base64.urlsafe_b64encode(int(bits, 2).to_bytes(len(bits) // 8)).decode().rstrip("=")


@pytest.mark.parametrize("text", [PUBLISHED, f"{PUBLISHED}.{VENDORS}", f" {PUBLISHED}\n"])
def test_the_published_string_says_what_it_is_published_to_say(text: str) -> None:
    assert decode(text) == TcString(frozenset({1, 2, 3}), "tcf 2, vendor list 15", True)


@pytest.mark.parametrize("purposes", [(), (1,), (11,), (24,), (1, 3, 4), tuple(range(1, 12))])
def test_each_purpose_is_read_from_its_own_bit(purposes: tuple[int, ...]) -> None:
    assert decode(written(purposes)) == TcString(frozenset(purposes), "tcf 4, vendor list 73", True)


def test_a_purpose_is_allowed_by_all_that_it_needs() -> None:
    found = decode(written({1, 3}))
    assert found is not None
    assert [found.allows(needed) for needed in ((1,), (1, 3), (1, 3, 4), (4,))] == [True, True, False, False]
    german = decode(written({3}, one=1))
    assert german is not None
    assert german.allows((1, 3)), "where the law does not want purpose 1 asked for, nobody could consent to it"
    assert not german.allows((1, 4))


@pytest.mark.parametrize(
    "text",
    ["", ".", "CPXx", "not a string!", "BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", written({1}, version=3), "A" * 4, "%%%%"],
)
def test_what_is_no_string_of_version_2_is_none(text: str) -> None:
    assert decode(text) is None
