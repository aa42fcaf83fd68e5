"""Facts in the store that survives the machine: the one that holds is the one the lake keeps, and an emptied store gets all back."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.events.facts import Availability, Fact, written
from lakehouse.lake.delta import Lake
from lakehouse.online.content import fill_facts
from lakehouse.online.engines import open_store
from lakehouse.online.fact_documents import START, STOCK, document, start_in
from lakehouse.online.store import OnlineStore
from lakehouse.queries.silver_writes import keep_facts
from tests.small_lake import copy_empty_tables
from tests.told_facts import expected, random_facts, start

NUMBERS = itertools.count()
AT_MS = 1_795_774_800_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OnlineStore]:
    opened = open_store(f"lmdb://{tmp_path}/kept")
    yield opened
    opened.close()


def held(store: OnlineStore) -> tuple[set[str], set[Fact | None]]:
    """The products that cannot be bought, and the starts."""
    return {key.removeprefix(STOCK) for key, _ in store.scan(STOCK)}, {
        start_in(value) for _, value in store.scan(START)
    }


def of_lake(facts: list[Fact]) -> tuple[set[str], set[Fact | None]]:
    kept = expected(facts).values()
    gone = {fact.product_id for fact in kept if isinstance(fact, Availability) and not fact.is_available}
    return gone, {fact for fact in kept if not isinstance(fact, Availability)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1))
def test_in_whatever_order_a_store_hears_of_stock_it_ends_where_the_lake_does(
    store: OnlineStore, words: list[tuple[bool, int]]
) -> None:
    product = f"p{next(NUMBERS)}"  # of this example alone: they share the store
    told: list[Fact] = [
        Availability(product_id=product, is_available=is_available, at_ms=AT_MS + later)
        for is_available, later in words
    ]
    store.put(map(document, told))
    assert ({product} & held(store)[0]) == of_lake(told)[0]


def test_of_an_experiment_the_first_start_holds_whoever_writes_it_last(store: OnlineStore) -> None:
    first, later = start("one", 1.0, AT_MS), start("one", 3.0, AT_MS + 1)
    store.put([document(later)])
    store.put([document(first)])
    store.put([document(later)])
    assert held(store) == (set(), {first})


def test_what_an_earlier_release_wrote_is_no_start(store: OnlineStore) -> None:
    for value in (b"0123456789abcdef", b"1234567890123456", b"[]", b"{}", b"null", b'{"at_ms": 1}'):
        assert start_in(value) is None


def test_an_emptied_store_gets_everything_back_and_one_that_knows_more_keeps_it(lake: Lake, store: OnlineStore) -> None:
    copy_empty_tables(lake)
    told = random_facts(7, 40)
    keep_facts(lake, lake.spark.createDataFrame([(written(fact),) for fact in told], "fact string"))
    assert fill_facts(store, lake) == len(expected(told))
    assert held(store) == of_lake(told)
    assert fill_facts(store, lake) == 0
    newer = [Availability(product_id=f"p{n}", is_available=n != 1, at_ms=AT_MS + 1000) for n in range(3)]
    store.put(map(document, newer))
    assert fill_facts(store, lake) == 0
    assert held(store)[0] == {"p1"}
