"""The online store against gold: after random streams, merges, splits, replays, crashes, failures and refills."""

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.errors import StoreError
from lakehouse.events.facts import written
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.online.change_publisher import Change
from lakehouse.online.content import differences, fill, fill_facts
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.fact_documents import document
from lakehouse.online.online_profile import SAID, OnlineProfile, by_id, find
from lakehouse.online.online_step import OnlineStep
from lakehouse.online.recent_behaviour import recent_behaviour
from lakehouse.online.store import Document, OnlineStore
from lakehouse.online.store_state import advance, state_of
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries.silver_writes import keep_facts
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from tests.accepted import at, event, few_leaves, once
from tests.small_lake import copy_empty_tables
from tests.told_facts import expected, random_facts

NOW = at("2026-03-01 00:00")
Event = dict[str, Any]


@pytest.fixture
def store(lake: Lake) -> Iterator[OnlineStore]:
    opened = open_store(store_url(lake.config))
    yield opened
    opened.close()


class Told(list[Change]):
    """A publisher that remembers."""

    def __call__(self, changes: Sequence[Change]) -> None:
        self.extend(changes)


def new_batch(lake: Lake, told: Told | None = None) -> MicroBatch:
    copy_empty_tables(lake)
    online = OnlineStep(lake, lambda: open_store(store_url(lake.config)), publish=told)
    return MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, online=online)


def feed(batch: MicroBatch, batch_id: int, rows: Sequence[Event]) -> None:
    batch(few_leaves(batch.lake, rows), once(batch_id))


def order(message_id: str, when: str, order_id: str, *products: str, **rest: Any) -> Event:
    lines = [(product, None, Decimal(1), None) for product in products]
    return event(message_id, when, "Order Completed", order_id=order_id, revenue="10.00", **rest) | {"lines": lines}


def random_events(seed: int, count: int) -> list[Event]:
    """Few people with many devices, some of which they share: profiles merge and split all the time."""
    choose = random.Random(seed)
    rows = []
    for n in range(count):
        names = {"anonymous_id": f"web-{choose.randrange(9)}"}
        if choose.random() < 0.5:
            names["user_id"] = f"user-{choose.randrange(4)}"
        if choose.random() < 0.3:
            names["device_id"] = f"tv-{choose.randrange(3)}"
        when = f"2026-02-{1 + choose.randrange(20):02} 10:{choose.randrange(60):02}"
        if choose.random() < 0.25:
            products = [f"p{choose.randrange(5)}" for _ in range(2)]
            rows.append(order(f"m{seed}-{n}", when, f"o{choose.randrange(20)}", *products, **names))
        else:
            rows.append(event(f"m{seed}-{n}", when, **names))
    return rows


def frame(lake: Lake, table: Any) -> pd.DataFrame:
    return pa.Table.from_batches(lake.batches(table)).to_pandas()


def none_if_null(value: Any) -> Any:
    return None if pd.isna(value) else value


def assert_equals_gold(lake: Lake, store: OnlineStore) -> None:
    """An oracle that knows only the tables: what each profile is and has, and whose each identifier is."""
    gold = {row["profile_id"]: row for row in frame(lake, GOLD_ACTIVATION).to_dict("records")}
    stored = {key.removeprefix("p:"): OnlineProfile.decode(data) for key, data in store.scan("p:")}
    assert stored.keys() == gold.keys()
    edges = frame(lake, SILVER_IDENTITY_EDGES).merge(frame(lake, SILVER_IDENTITY_MAP), on="actor_id")
    orders = frame(lake, SILVER_ORDERS).merge(frame(lake, SILVER_IDENTITY_MAP), on="actor_id")
    for profile, row in gold.items():
        found = stored[profile]
        known = {**found.own_fields(), **found.figures}
        for name in GOLD_ACTIVATION.column_names:
            if name.endswith("_at") or name == "as_of":
                assert name in ("updated_at", "due_at") or known[name] == none_if_null(row[name]), name
            elif name == SAID:
                told = None if row[name] is None else {one["purpose"]: one["at"] for one in row[name]}
                assert known[name] == told, name
            elif name != "user_ids":
                assert known[name] == none_if_null(row[name]), name
        mine = edges[edges["profile_id"] == profile]
        assert sorted(found.identifiers) == sorted(
            set(zip(mine["identifier_type"], mine["identifier_token"], strict=True))
        )
        newest = mine.groupby(["identifier_type", "identifier_token"])["first_seen_at_x"].max()
        assert [newest[one] for one in found.identifiers] == sorted(newest, reverse=True)
        bought = orders[orders["profile_id"] == profile].sort_values(["ordered_at", "order_id"], ascending=False)
        products = [line["product_id"] for lines in bought["lines"] if lines is not None for line in lines]
        assert found.bought == tuple(dict.fromkeys(products))
    expected_owners = {}
    bundle_size = edges.groupby("actor_id").size()
    for (type_, token), carriers in edges.groupby(["identifier_type", "identifier_token"]):
        alone = carriers[carriers["actor_id"].map(bundle_size) == 1]
        owners = set((alone if len(alone) else carriers)["profile_id"])
        if len(owners) == 1:
            expected_owners[f"i:{type_}:{token}"] = f'"{owners.pop()}"'.encode()
    assert dict(store.scan("i:")) == expected_owners


class Dies(Exception):
    pass


def test_after_random_streams_a_crash_a_replay_and_a_batch_of_everyone_the_store_is_gold(
    lake: Lake, store: OnlineStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, rows = new_batch(lake), random_events(7, 60)
    feed(batch, 0, rows[:20])
    assert_equals_gold(lake, store)

    def die(*_: Any) -> None:
        raise Dies

    with monkeypatch.context() as dying:
        dying.setattr(batch, "write_gold", die)  # between store and gold
        with pytest.raises(Dies):
            feed(batch, 1, rows[20:40])
    ahead = dict(store.scan("i:"))
    again = new_batch(lake)
    feed(again, 1, rows[20:40])
    assert_equals_gold(lake, store)
    assert dict(store.scan("i:")) == ahead, "the store was ahead of gold and stayed as it was"
    before = state_of(store)
    assert before.gold == lake.version(GOLD_ACTIVATION)
    monkeypatch.setattr(Champions, "versions", {"segments": "2"})  # newer than anything in gold: every profile is due
    feed(again, 2, rows[40:])
    assert_equals_gold(lake, store)
    assert min(OnlineProfile.decode(data).version for _, data in store.scan("p:")) > before.version
    assert again.records[0].online_at == NOW
    assert "online" in again.records[0].seconds


def test_merge_and_split_move_identifiers_and_take_the_younger_profile_out(lake: Lake, store: OnlineStore) -> None:
    told = Told()
    batch = new_batch(lake, told)
    rules = lake.config.identity
    feed(
        batch,
        0,
        [
            event("m1", "2026-02-01 10:00", anonymous_id="phone"),
            order("m2", "2026-02-02 10:00", "o1", "p1", "p2", anonymous_id="laptop"),
        ],
    )
    phone, laptop = (find(store, [("anonymous_id", one)], rules) for one in ("phone", "laptop"))
    assert phone is not None
    assert laptop is not None
    assert (phone.bought, laptop.bought, laptop.figures["monetary"]) == ((), ("p1", "p2"), Decimal("10.00"))
    feed(batch, 1, [event("m3", "2026-02-03 10:00", anonymous_id=one, user_id="ann") for one in ("phone", "laptop")])
    ann = find(store, [("anonymous_id", "laptop"), ("user_id", "ann")], rules)
    assert ann is not None
    assert (ann.profile_id, ann.is_known, ann.bought) == (phone.profile_id, True, ("p1", "p2"))
    assert by_id(store, laptop.profile_id) is None
    assert {change.profile_id for change in told} == {phone.profile_id, laptop.profile_id}
    feed(batch, 2, [event("m4", "2026-02-04 10:00", anonymous_id="laptop", user_id="bob")])
    assert_equals_gold(lake, store)
    bob = find(store, [("user_id", "bob"), ("anonymous_id", "phone")], rules)
    assert bob is not None
    assert bob.profile_id != ann.profile_id
    assert find(store, [("user_id", "nobody"), ("anonymous_id", "phone")], rules) is not None
    assert find(store, [("user_id", "nobody"), ("shoe_size", "9")], rules) is None


def test_a_loyalty_tier_lasts_when_the_timeline_is_over_and_the_store_is_filled_again(
    lake: Lake, store: OnlineStore, tmp_path: Path
) -> None:
    batch = new_batch(lake)
    ann = {"user_id": "ann"}
    feed(batch, 0, [event("m1", "2026-02-01 10:00", traits={"loyalty_tier": "gold"}, **ann)])
    feed(batch, 1, [event("m2", "2026-01-05 10:00", traits={"loyalty_tier": "blue"}, **ann)])  # late
    feed(batch, 2, [event("m3", "2026-02-20 10:00", traits={"city": "Rome"}, **ann)])

    def tier(of: OnlineStore) -> object:
        profile = find(of, [*ann.items()], lake.config.identity)
        nothing_lately = recent_behaviour([], NOW)  # what was said is 30 days old
        visitor = Visitor(identifier=next(iter(ann.items())), profile=profile, recent=nothing_lately)
        return context_of(visitor, {}, now=NOW)["loyalty_tier"]

    emptied = open_store(f"lmdb://{tmp_path}/emptied")
    assert fill(emptied, lake, batch.identity.index, now=NOW) == 1
    assert (tier(store), tier(emptied)) == ("gold", "gold")
    feed(batch, 3, [event("m4", "2026-02-21 10:00", traits={"loyalty_tier": None}, **ann)])
    fill(emptied, lake, batch.identity.index, now=NOW)
    assert (tier(store), tier(emptied)) == (None, None), "null takes it back"
    emptied.close()


class Breakable:
    """A real store that can be cut off."""

    def __init__(self, store: OnlineStore) -> None:
        self.store = store
        self.works = True
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if not self.works and name != "close":
                raise StoreError("cut off")
            return None if name == "close" else getattr(self.store, name)(*arguments, **named)

        return call


def test_a_store_that_is_cut_off_stops_nothing_and_is_caught_up_with(
    lake: Lake, store: OnlineStore, tmp_path: Path
) -> None:
    copy_empty_tables(lake)
    cut = Breakable(store)
    online = OnlineStep(lake, lambda: cut)
    batch = MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, online=online)
    rows = random_events(9, 40)
    feed(batch, 0, rows[:20])
    filled = state_of(store)
    cut.works, cut.calls = False, 0
    feed(batch, 1, rows[20:40])
    assert batch.records[1].committed_at is not None
    assert batch.records[1].online_at is None
    assert cut.calls <= 2, "each call may take the whole timeout"
    assert state_of(store) == filled, "it does not claim to stand for a gold it has not seen"
    assert online.owed
    assert (batch.records[1].online_is_behind, batch.records[1].online_owed) == (True, len(online.owed))
    cut.works = True
    batch.catch_up()  # no event comes
    assert_equals_gold(lake, store)
    assert not online.owed
    assert not online.is_due
    assert (batch.records[-1].online_is_behind, batch.records[-1].online_owed) == (False, 0)
    check_that_it_is_filled_again(lake, store, batch, tmp_path)


@pytest.mark.parametrize("step", ["put", "settle"])
def test_a_store_that_is_emptied_under_a_micro_batch_is_filled_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    batch, rows = new_batch(lake), random_events(9, 40)
    feed(batch, 0, rows[:20])
    emptied = open_store(f"lmdb://{tmp_path}/emptied")
    online = batch.online
    assert isinstance(online, OnlineStep)
    goes_on = getattr(online, step)

    def in_another(*arguments: Any) -> Any:
        online._store = emptied
        return goes_on(*arguments)

    with monkeypatch.context() as while_it_lasts:
        while_it_lasts.setattr(online, step, in_another)
        feed(batch, 1, rows[20:])
    assert not state_of(emptied).is_filled
    batch.catch_up()  # no event comes
    assert_equals_gold(lake, emptied)
    assert state_of(emptied).gold == lake.version(GOLD_ACTIVATION)
    emptied.close()


def test_the_facts_of_the_lake_are_in_the_kept_store_after_every_start(lake: Lake, tmp_path: Path) -> None:
    copy_empty_tables(lake)
    told = random_facts(3, 30)
    keep_facts(lake, lake.spark.createDataFrame([(written(fact),) for fact in told], "fact string"))
    url = f"lmdb://{tmp_path}/kept"
    step = OnlineStep(lake, lambda: open_store(store_url(lake.config)), open_kept=lambda: open_store(url))
    MicroBatch(lake, Champions(lake.config), clock=lambda: NOW, online=step).catch_up()
    kept = open_store(url)
    documents = list(map(document, expected(told).values()))
    assert kept.get([one.key for one in documents]) == [one.value for one in documents]
    assert fill_facts(kept, lake) == 0
    kept.close()


def check_that_it_is_filled_again(lake: Lake, store: OnlineStore, batch: MicroBatch, tmp_path: Path) -> None:
    """After it lied, and after it was lost."""
    index, version = batch.identity.index, state_of(store).version
    told = [*store.scan("p:"), *store.scan("i:")]
    store.put([Document(key, version, b"junk") for key, _ in told])
    store.put([Document("p:stranger", version, b"x"), Document("i:user_id:a:b", version, b'"stranger"')])
    found = differences(store, lake, index)
    assert found["different"] == found["profiles"] > 0
    assert found["wrong_identifiers"] == len(told) - found["profiles"]
    assert found["strangers"] == 2
    advance(store, gold="another", now_ms=0)  # a rebuild of gold, say
    new_batch(lake).catch_up()
    assert_equals_gold(lake, store)
    found = differences(store, lake, index)
    assert {found[name] for name in ("missing", "different", "strangers", "wrong_identifiers")} == {0}
    empty = open_store(f"lmdb://{tmp_path}/another")
    assert batch.online is not None
    batch.online._store = empty
    assert batch.online.is_due
    batch.online.catch_up(index, NOW)
    assert_equals_gold(lake, empty)
    empty.close()
