"""A profile's document: encoded and decoded, and what is no such document."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.errors import StoreError
from lakehouse.online.engines import open_store
from lakehouse.online.online_profile import MOST_BOUGHT, MOST_IDENTIFIERS, OnlineProfile, find, profile_documents
from lakehouse.online.store import Document
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.tables.contract import SAID_LAST

AT = datetime(2026, 2, 1, 10, 0, 0, 123456, tzinfo=UTC)
BY_TYPE = {
    "string": st.text(max_size=5),
    "array<string>": st.lists(st.text(max_size=3), max_size=2),
    "timestamp": st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),
    "bigint": st.integers(0, 2**53),
    "int": st.integers(1, 5),
    "double": st.floats(0, 1),
    "boolean": st.booleans(),
    "decimal(18,2)": st.decimals(-(10**15), 10**15, places=2),
}
BY_TYPE[SAID_LAST] = st.lists(
    st.fixed_dictionaries({"purpose": BY_TYPE["string"], "at": BY_TYPE["timestamp"]}),
    unique_by=lambda one: one["purpose"],
)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, object]:
    row = {
        c.name: draw(BY_TYPE[c.type] | st.none() if c.nullable else BY_TYPE[c.type]) for c in GOLD_ACTIVATION.columns
    }
    return row | {"purchases": None, "is_deleted": False}


@given(rows())
def test_a_document_is_read_back_as_it_was(row: dict[str, object]) -> None:
    profile = OnlineProfile.from_row(row, [("email", "k:1"), ("user_id", "é")], version=3)
    assert OnlineProfile.decode(profile.encode()) == profile
    later = orjson.dumps(orjson.loads(profile.encode()) | {"of_a_later_version": 1})
    assert OnlineProfile.decode(later) == profile


def a_row(**columns: object) -> dict[str, object]:
    values = {"string": "x", "array<string>": [], "timestamp": AT, "bigint": 1, "decimal(18,2)": Decimal("1.50")}
    row = {c.name: None if c.nullable else values[c.type] for c in GOLD_ACTIVATION.columns}
    return row | {"purchases": None, "is_deleted": False} | columns


def test_bought_is_newest_first_each_once_and_capped_like_the_identifiers() -> None:
    many = [{"ordered_at": AT, "order_id": "o0", "products": [f"q{n}" for n in range(300)]}]
    purchases = [
        {"ordered_at": AT, "order_id": "o1", "products": ["p1", None, "p2"]},
        {"ordered_at": AT + timedelta(days=1), "order_id": "o2", "products": ["p2", "p3"]},
        {"ordered_at": AT, "order_id": "o3", "products": None},
    ]
    profile = OnlineProfile.from_row(a_row(purchases=purchases), [], version=1)
    assert profile.bought == ("p2", "p3", "p1")
    assert [at.day for at in profile.bought_at] == [2, 2, 1]
    crowded = OnlineProfile.from_row(a_row(purchases=many), [("device_id", str(n)) for n in range(99)], version=1)
    assert (len(crowded.bought), len(crowded.identifiers)) == (MOST_BOUGHT, MOST_IDENTIFIERS)


def test_an_address_is_not_forgotten_for_cookies_that_came_since() -> None:
    cookies = [("anonymous_id", str(n)) for n in range(99)]
    profile = OnlineProfile.from_row(a_row(), [*cookies, ("email", "e"), ("user_id", "u")], version=1)
    assert profile.identifiers == (*cookies[: MOST_IDENTIFIERS - 2], ("email", "e"), ("user_id", "u"))


@pytest.mark.parametrize("change", [
    {"monetary": "a lot"}, {"monetary": None}, {"as_of": "today"}, {"as_of": 10**18}, {"identifiers": [["a"]]}, {"identifiers": 7},
    {"bought": None}, {"bought_at": [None]}, {"next_best_action": None}, {"sums": {}},
    {"consent_said": ["marketing"]}, {"consent_said": {"marketing": "today"}},
])  # fmt: skip
def test_a_corrupt_document_is_told_from_a_good_one(change: dict[str, object]) -> None:
    good = orjson.loads(OnlineProfile.from_row(a_row(), [], version=1).encode())
    with pytest.raises(StoreError, match="Rebuild"):
        OnlineProfile.decode(orjson.dumps(good | change))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"{oops", b"\xff", b'"text"'])
def test_anything_else_is_no_document(data: bytes) -> None:
    with pytest.raises(StoreError, match="Rebuild"):
        OnlineProfile.decode(data)


def test_find_takes_the_strongest_identifier_and_skips_what_points_nowhere(tmp_path: object) -> None:
    store = open_store(f"lmdb://{tmp_path}/online")
    rules = load("dev", environ={}).identity
    listed = [a_row(profile_id="ann"), a_row(profile_id="bob"), a_row(profile_id="gone", is_deleted=True)]
    owners = {
        ("user_id", "b"): "bob",
        ("anonymous_id", "web"): "ann",
        ("email", "e"): "gone",
        ("device_id", "tv"): None,
    }
    store.put(profile_documents(listed, {}, owners, version=5))

    def found(*identifiers: tuple[str, str]) -> str | None:
        profile = find(store, identifiers, rules)
        return None if profile is None else profile.profile_id

    assert found(("anonymous_id", "web"), ("user_id", "b")) == "bob"
    assert found(("anonymous_id", "web"), ("email", "e")) == "ann"
    assert found(("email", "e")) is None
    assert found(("device_id", "tv")) is None
    assert found(("unheard_of", "x")) is None
    assert found() is None
    store.put([Document("i:user_id:b", 6, b"{oops")])
    with pytest.raises(StoreError, match="identifier"):
        found(("user_id", "b"))
    store.close()
