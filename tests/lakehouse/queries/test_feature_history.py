"""Features declared, changed, dropped and declared again while events come: filled for history beside the stream, each event counted once, whatever dies in between."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from batch.fill_features import filled
from lakehouse.feature_book.kept_features import sums_of
from lakehouse.lake import stamp
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.profiles.gold.features import gold_features
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.queries import declarations, feature_history, unfinished
from lakehouse.queries.feature_history import Answer, FeatureHistory, answer, ask, fill, is_asked
from lakehouse.queries.unfinished import Begun
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from tests import accepted
from tests import feature_oracle as oracle
from tests.accepted import at, event, few_leaves, once
from tests.small_lake import copy_empty_tables

NOW, QUERY = at("2026-03-01 00:00"), "events"
VIEWS = {"name": "views", "description": "d", "aggregation": "count", "where": "event_name = 'Product Viewed'"}
CARTS = {"name": "carts", "description": "d", "aggregation": "count", "where": "event_name = 'Product Added'"}
OF_TEA = {**VIEWS, "where": "event_name = 'Product Viewed' AND product_id = 'tea'"}
PER_VIEW = {
    "name": "per_view",
    "description": "d",
    "aggregation": "ratio",
    "numerator": "carts",
    "denominator": "views",
}
Rows = Sequence[tuple[Any, ...]]
NAMES = ("Product Viewed", "Product Viewed", "Product Added")


def sent(batch: int, count: int = 6) -> list[dict[str, Any]]:
    """Of three visitors, views twice as often as carts; every other is of tea."""
    return [
        event(
            f"m{batch}-{n}",
            f"2026-02-{1 + batch:02} 10:{n:02}",
            NAMES[n % 3],
            anonymous_id=f"web-{n % 3 if n % 2 else batch % 3}",
            product_id="tea" if n % 2 else "mug",
        )
        for n in range(count)
    ]


def _nothing(schema: pa.Schema) -> dict[str, Any]:
    """What stands in a row where a test says nothing."""
    some = {pa.types.is_list: [], pa.types.is_boolean: False, pa.types.is_integer: 0, pa.types.is_timestamp: NOW}
    return {
        field.name: next((value for is_one, value in some.items() if is_one(field.type)), "")
        for field in schema
        if not field.nullable
    }


class Stream:
    """What the events query does to a lake, batch after batch, without Kafka: silver.events, then the tables of profiles."""

    def __init__(self, lake: Lake, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy_empty_tables(lake)
        self.lake, self.file = lake, file
        self.batches, self.offset = 0, 0
        monkeypatch.setattr(feature_history, "FEATURES", file)
        nobody = file.with_name("audiences.yaml")
        nobody.write_text("audiences: []\n")
        monkeypatch.setattr(declarations, "AUDIENCES", nobody)  # those we ship read features that are not declared here
        monkeypatch.setattr(unfinished, "_is_committed", lambda _lake, _query, done: done.batch_id < self.batches)

    def declare(self, *entries: dict[str, Any]) -> None:
        oracle.declared(self.file.parent, entries)

    def start(self) -> None:
        kept = feature_history.keep_declared(self.lake, QUERY, ())
        self.micro_batch = MicroBatch(self.lake, Champions(self.lake.config), clock=lambda: NOW, features=kept)
        self.history = FeatureHistory(self.lake, self.micro_batch, QUERY, ())

    def batch(self, *, dies_before_profiles: bool = False) -> None:
        begins: Ends = {"events": {"0": self.offset}}
        unfinished.note(self.lake, QUERY, Begun(once=once(self.batches), begins=begins))
        rows = sent(self.batches)
        if not self.lake.has_had(SILVER_EVENTS, once(self.batches)):
            self.lake.append(self._stored(rows), SILVER_EVENTS, once(self.batches))
        if dies_before_profiles:
            return
        self.micro_batch(few_leaves(self.lake, rows, self.micro_batch.features), once(self.batches))
        self.batches, self.offset = self.batches + 1, self.offset + len(rows)

    def _stored(self, rows: Sequence[dict[str, Any]]) -> pa.Table:
        """As silver.events has them."""
        schema = arrow_schema(SILVER_EVENTS)
        place = {"topic": "events", "partition": 0}
        placed = [{**_nothing(schema), **row, **place, "offset": self.offset + n} for n, row in enumerate(rows)]
        return pa.Table.from_pylist(placed, schema)

    def fill(self) -> None:
        ask(self.lake.root, self.lake.spark)
        for _ in range(30):
            self.history.go_on()
            self.micro_batch.catch_up()
            if not is_asked(self.lake.root, self.lake.spark):
                return
        raise AssertionError("the request is not done with")

    def told(self, *names: str) -> Rows:
        """The features of all profiles."""
        table = gold_features(self.micro_batch.features)
        rows = pa.Table.from_batches(self.lake.batches(table, columns=("profile_id", *names))).to_pylist()
        return [tuple(row[name] for name in names) for row in sorted(rows, key=lambda row: str(row["profile_id"]))]

    def expected(self, *entries: dict[str, Any]) -> Rows:
        """Brute force over everything that was sent."""
        rows = [row for batch in range(self.batches) for row in sent(batch)]
        raw = accepted.sent(rows)
        for name in ("coupon", "channel", "p_size", "p_rating"):
            raw = raw.append_column(name, pa.nulls(raw.num_rows, pa.float64() if name == "p_rating" else pa.string()))
        members = DeltaTable(self.lake.path(SILVER_IDENTITY_MAP)).to_pyarrow_table().to_pylist()
        placed = [(row["actor_id"], row["profile_id"]) for row in members]
        newest = max(row["occurred_at"] for row in rows)
        moments = [(profile, newest) for profile in sorted({profile for _, profile in placed})]
        answers = oracle.brute_force(raw, placed, moments, entries)
        return [tuple(answers[moment][entry["name"]] or 0 for entry in entries) for moment in moments]


@dataclasses.dataclass
class Seen:
    """What gold.features and the lake's notes said at each step of one lake's life, and brute force at the same time: `x`, `x_expected`."""

    half: Rows = ()
    new: Rows = ()
    new_expected: Rows = ()
    said: Answer | None = None
    begins: list[Ends] = dataclasses.field(default_factory=list)
    changed: Rows = ()
    changed_expected: Rows = ()
    filled: Rows = ()
    filled_expected: Rows = ()
    commits: tuple[int, int] = (0, 0)
    alone: Answer | None = None
    again: Rows = ()
    again_expected: Rows = ()
    refused: Answer | None = None
    had: tuple[bool, bool] = (False, False)
    older_begins: int = 0
    older_sums: int = 0


@pytest.fixture(scope="module")
def seen(new_lake: Callable[[str], Lake], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One life: new lakes are what such a test costs."""
    with pytest.MonkeyPatch.context() as patch:
        stream, seen = Stream(new_lake("history"), tmp_path_factory.mktemp("conf") / "features.yaml", patch), Seen()
        for step in (_a_new_one, _a_changed_one, _one_declared_again, _a_faulty_file, _no_fact, _of_before):
            step(stream, seen)
        yield seen


def _a_new_one(stream: Stream, seen: Seen) -> None:
    stream.declare(VIEWS)
    stream.start()
    for _ in range(2):
        stream.batch()
    stream.declare(VIEWS, CARTS, PER_VIEW)
    ask(stream.lake.root, stream.lake.spark)
    stream.history.go_on()  # taken up: from now on it is summed
    stream.batch()
    seen.half = stream.told("carts", "per_view")
    stream.fill()
    seen.said = answer(stream.lake.root, stream.lake.spark)
    seen.new, seen.new_expected = stream.told("views", "carts"), stream.expected(VIEWS, CARTS)


def _a_changed_one(stream: Stream, seen: Seen) -> None:
    stream.batch(dies_before_profiles=True)
    stream.declare(OF_TEA, CARTS)
    stream.start()
    seen.begins = [one.at for one in sums_of(stream.lake).begins.values()]
    stream.batch()  # the same one again, summed by what is declared now
    seen.changed, seen.changed_expected = stream.told("views"), stream.expected(VIEWS)
    next(fill(stream.lake, stream.micro_batch.features, (), "x", size=10))  # dies after its first slice
    for _ in fill(stream.lake, stream.micro_batch.features, (), "x"):
        pass
    stream.fill()
    seen.filled, seen.filled_expected = stream.told("views", "carts"), stream.expected(OF_TEA, CARTS)
    before = stream.lake.commit(SILVER_FEATURE_DAYS)
    stream.fill()
    seen.commits = before, stream.lake.commit(SILVER_FEATURE_DAYS)


def _one_declared_again(stream: Stream, seen: Seen) -> None:
    stream.declare(OF_TEA)
    stream.start()
    stream.batch()  # carts of these are counted by nobody
    stream.declare(OF_TEA, CARTS)
    quiet = dataclasses.replace(stream.lake.config.online_store, publish_changes=False)
    stream.lake.config = dataclasses.replace(stream.lake.config, online_store=quiet)
    *_, seen.alone = filled(stream.lake)
    stream.start()
    seen.again, seen.again_expected = stream.told("views", "carts"), stream.expected(OF_TEA, CARTS)


def _a_faulty_file(stream: Stream, seen: Seen) -> None:
    before = stream.micro_batch.features.version
    stream.file.write_text("features: [{name: a}]")
    stream.fill()
    seen.refused = answer(stream.lake.root, stream.lake.spark)
    assert stream.micro_batch.features.version == before


def _no_fact(stream: Stream, seen: Seen) -> None:
    """A micro-batch that ended, and brought silver.feature_days nothing."""
    last = once(stream.batches)
    unfinished.note(stream.lake, QUERY, Begun(once=last, begins={"events": {"0": stream.offset}}))
    assert unfinished.is_under_way(stream.lake, QUERY, SILVER_FEATURE_DAYS)
    stream.batches += 1
    before = stream.lake.has_had(SILVER_FEATURE_DAYS, last)
    assert unfinished.reached(stream.lake, QUERY, SILVER_FEATURE_DAYS) == {"events": {"0": stream.offset}}
    seen.had = before, stream.lake.has_had(SILVER_FEATURE_DAYS, last)


def _of_before(stream: Stream, seen: Seen) -> None:
    """A lake of a release that did not note where sums begin."""
    folder = f"{stream.lake.root}/_features"
    stamp.unstamp(folder, "sums", None)
    stamp.restamp(folder, "whole", "[]", None)
    stream.declare(OF_TEA)
    stream.start()
    (name,) = (partial.name for partial in stream.micro_batch.features.partials)
    seen.older_begins = len(sums_of(stream.lake).begins)
    days = stream.lake.read(SILVER_FEATURE_DAYS).select(F.inline("partials"))
    seen.older_sums = days.where(F.col("name") == name).count()


def test_a_new_feature_is_filled_while_events_come(seen: Seen) -> None:
    assert {*seen.half} == {(None, None)}, "not half of history"
    assert seen.new == seen.new_expected
    assert seen.said is not None
    assert (seen.said.done, seen.said.records, seen.said.is_whole) == (12, 12, True)


def test_a_changed_feature_says_what_it_said_before_until_it_is_filled(seen: Seen) -> None:
    assert seen.changed == seen.changed_expected
    assert seen.filled == seen.filled_expected
    assert seen.changed != [(views,) for views, _ in seen.filled]


def test_what_was_added_is_not_added_again_after_a_death_anywhere(seen: Seen) -> None:
    assert seen.begins == [{"events": {"0": 18}}], "the batch that died is summed by its replay"
    assert seen.filled == seen.filled_expected
    assert seen.commits[0] == seen.commits[1], "there is nothing to fill"


def test_what_is_declared_again_is_filled_from_nothing_also_where_nothing_streams(seen: Seen) -> None:
    assert seen.alone is not None
    assert seen.alone.is_whole
    assert seen.again == seen.again_expected


def test_a_faulty_file_is_refused(seen: Seen) -> None:
    assert seen.refused is not None
    assert "features.yaml: features[0]" in str(seen.refused.refused)


def test_a_batch_that_brought_no_fact_is_noted_as_taken(seen: Seen) -> None:
    assert seen.had == (False, True)


def test_sums_of_a_release_that_noted_less_are_begun_anew(seen: Seen) -> None:
    assert (seen.older_begins, seen.older_sums) == (1, 0)
