"""gold.audiences, kept by micro-batches: at every moment its members are those that DuckDB finds, those who left by the clock alone among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse.audiences.kept_audiences import keep
from lakehouse.feature_book import kept_features
from lakehouse.features.definition import Features
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.profiles import gold_writes
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.derivation import GoldRows
from lakehouse.profiles.differences import compare, summarise
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES, Audiences, gold_audiences
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.tables.contract import Table
from tests import audience_oracle, feature_oracle
from tests.accepted import at, few_leaves, merge_and_split, once
from tests.small_lake import copy_empty_tables

FIGURES: list[dict[str, Any]] = [
    {"name": "views_1h", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'", "window": "1 h"},
    {"name": "views_2d", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'", "window": "2 d"},
    {"name": "spent_3d", "description": "d", "aggregation": "sum", "value": "amount", "window": "3 d"},
    {"name": "last_product", "description": "d", "aggregation": "last", "value": "product_id", "window": "2 d"},
]  # fmt: skip
LOOKING = {"name": "looking", "owner": "o", "description": "d", "where": "views_1h > 0", "purpose": "marketing"}
BUYER = {"name": "buyer", "owner": "o", "description": "d", "where": "frequency > 0", "purpose": "marketing"}
BATCHES = merge_and_split("45.10")
START = at("2026-03-01 00:00")


class Clock:
    """A minute passes at each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


class Told:
    """What a teller is handed."""

    is_due = False

    def __init__(self) -> None:
        self.profiles: set[str] = set()

    def tell(self, profile_ids: Sequence[str] | None, record: BatchRecord | None) -> None:
        assert profile_ids is not None
        self.profiles = set(profile_ids)


Feed = Callable[[int], None]


def new_batch(
    lake: Lake, features: Features, audiences: Audiences, told: Told | None = None
) -> tuple[MicroBatch, Feed]:
    """A micro-batch on an empty lake, and what feeds it one of BATCHES."""
    copy_empty_tables(lake)
    kept = kept_features.keep(lake, features)
    batch = MicroBatch(
        lake, Champions(lake.config), clock=Clock(), features=kept, audiences=keep(lake, audiences, kept, START), teller=told
    )  # fmt: skip

    def feed(number: int) -> None:
        batch(few_leaves(lake, BATCHES[number], kept), once(number))

    return batch, feed


Pairs = set[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A lake through all of BATCHES. moments: after each, who is a member, who is to be one, and whose rows were said to be written."""

    lake: Lake
    features: Features
    moments: list[tuple[Pairs, Pairs, set[str]]]


@pytest.fixture(scope="module")
def lived(new_lake: Callable[[str], Lake], tmp_path_factory: pytest.TempPathFactory) -> Lived:
    lake, folder, told = new_lake("audiences"), tmp_path_factory.mktemp("conf"), Told()
    features = feature_oracle.declared(folder, FIGURES)
    entries = [*audience_oracle.random_definitions(5, 14, features), LOOKING, BUYER]
    _, feed = new_batch(lake, features, audience_oracle.declared(folder, entries, features).audiences, told)
    moments = []
    for number in range(len(BATCHES)):
        feed(number)
        expected = audience_oracle.brute_force(rows(lake, GOLD_ACTIVATION), rows(lake, GOLD_FEATURES), entries)
        moments.append((members(lake), expected, told.profiles))
    return Lived(lake=lake, features=features, moments=moments)


def rows(lake: Lake, table: Table) -> Any:
    return DeltaTable(lake.path(table)).to_pyarrow_table()


def stays(lake: Lake) -> dict[tuple[str, str], list[tuple[datetime, datetime | None]]]:
    """From when to when each was a member, in order."""
    found: dict[tuple[str, str], list[tuple[datetime, datetime | None]]] = {}
    for row in sorted(rows(lake, GOLD_AUDIENCES).to_pylist(), key=lambda row: row["valid_from"]):
        found.setdefault((row["profile_id"], row["audience"]), []).append((row["valid_from"], row["valid_to"]))
    return found


def members(lake: Lake) -> set[tuple[str, str]]:
    return {pair for pair, own in stays(lake).items() if own[-1][1] is None}


def test_members_are_at_every_moment_those_that_duckdb_finds(lived: Lived) -> None:
    assert [found ^ expected for found, expected, _ in lived.moments] == [set()] * len(BATCHES)
    assert len({len(expected) for _, expected, _ in lived.moments}) > 2


def test_whoever_enters_or_leaves_is_told_of_also_if_they_did_nothing(lived: Lived) -> None:
    before: Pairs = set()
    left_by_the_clock = set()
    for number, (now, _, told) in enumerate(lived.moments):
        assert {profile for profile, _ in before ^ now} <= told, number
        left_by_the_clock |= {profile.split("-")[0] for profile, name in before - now if name == "looking"}
        before = now
    assert "quiet" in left_by_the_clock


def test_since_when_is_kept_by_a_rebuild_and_by_another_definition(lived: Lived, tmp_path: Path) -> None:
    lake, features = lived.lake, lived.features
    wide = BUYER | {"where": "frequency > 0 OR view_count > 2"}
    (ann,) = {profile for profile, name in members(lake) if name == "buyer"}
    since = stays(lake)[ann, "buyer"]
    audiences = audience_oracle.declared(tmp_path, [wide], features).audiences
    later = START + timedelta(days=1)
    keep(lake, audiences, features, later)
    assert {name for _, name in members(lake)} == {"buyer"}, "of what is declared no more everybody left"
    assert stays(lake)[ann, "buyer"] == since
    assert {row["version"] for row in rows(lake, GOLD_AUDIENCES).to_pylist() if row["valid_to"] is None} == {
        audiences.versions["buyer"]
    }
    before = lake.commit(GOLD_AUDIENCES)
    keep(lake, audiences, features, later)
    assert lake.commit(GOLD_AUDIENCES) == before, "nothing is new"

    table = gold_audiences(audiences)
    rebuilt = table.rows({"gold_activation": lake.read(GOLD_ACTIVATION)}, {})
    assert summarise(table, compare(table, lake.read(table), rebuilt)).total == 0
    everybody = lake.read(GOLD_ACTIVATION).select("profile_id")
    now = lake.spark.createDataFrame([(later + timedelta(days=1),)], "now timestamp")
    gold_writes.write(lake, table, GoldRows(profiles=everybody, now=now, silver={}, tables={table: rebuilt}))
    assert stays(lake)[ann, "buyer"] == since


def test_a_crash_while_windows_close_leaves_nobody_in(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = feature_oracle.declared(tmp_path, FIGURES[:1])
    batch, feed = new_batch(lake, features, audience_oracle.declared(tmp_path, [LOOKING], features).audiences)
    feed(0)
    write, seen = gold_writes.write, list[str]()

    def dies(lake: Lake, table: Any, said: Any) -> None:
        seen.append(table.name)
        if seen.count(GOLD_AUDIENCES.name) == 2:  # the first is of who came, the second of whose window closed
            raise InterruptedError
        write(lake, table, said)

    monkeypatch.setattr(gold_writes, "write", dies)
    with pytest.raises(InterruptedError):
        feed(4)
    monkeypatch.setattr(gold_writes, "write", write)
    kept = audience_oracle.declared(tmp_path, [LOOKING], features).audiences
    again = MicroBatch(lake, Champions(lake.config), clock=Clock(), features=batch.features, audiences=kept)
    again.catch_up()
    assert {profile.split("-")[0] for profile, _ in members(lake)} == {"other"}
