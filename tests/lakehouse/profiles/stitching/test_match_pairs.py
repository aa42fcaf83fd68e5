"""Likely pairs and overrides in the micro-batch, on real Delta tables: whatever the order, what one rebuild comes to."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.commands.whois import whois
from lakehouse.identity import override_store
from lakehouse.identity.override_requests import Undo
from lakehouse.identity.overrides import NamedIdentifier, Override
from lakehouse.lake.delta import Lake
from lakehouse.matching import refresh
from lakehouse.matching.fields import fields
from lakehouse.matching.model import MatchModel, Sharing
from lakehouse.models.registry import Champions
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import Clock, MicroBatch
from lakehouse.profiles.silver import personal_traits
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.profiles.stitching.graph_facts import GRAPH_COLUMNS, actors, facts_of
from lakehouse.profiles.stitching.identity_tables import all_rows
from lakehouse.profiles.stitching.rebuilt_identity import rebuilt_identity
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.profiles.touched_profiles import TouchedProfiles
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_REVIEW,
    SILVER_MATCH_BLOCKS,
)
from tests.accepted import event, few_leaves, leaves, once
from tests.lakehouse.matching.match_models import model_of
from tests.small_lake import copy_empty_tables

MODEL = model_of(
    fields({"first_name": "given_name", "last_name": "family_name", "birthday": "date"}),
    rules=[("1.value",), ("2.value",)],
    max_block=3,
)
HOUSEHOLDS = replace(MODEL, sharing=(Sharing(name="household", prior=0.02, shared=(0.02, 1.0, 0.2)),))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Chosen(Champions):
    """A champion matcher that needs no registry."""

    def __init__(self, lake: Lake, matcher: MatchModel | None) -> None:
        super().__init__(lake.config)
        self.matcher = matcher

    def refresh(self) -> bool:
        return False


def described(number: int, first: str, last: str, birthday: str, minute: int = 0, **more: str) -> dict[str, Any]:
    traits = {"first_name": first, "last_name": last, "birthday": birthday}
    when = f"2026-02-01 10:{minute:02d}:{number:02d}"
    return event(f"m{number}-{minute}", when, anonymous_id=f"web-{number}", traits=traits, **more)


class NoGold(TouchedProfiles):
    def of_few(self, *_: Any, **__: Any) -> OnDriver:
        return OnDriver(profiles=pa.table({}), now=NOW, silver={}, tables={})


class WithoutGold(MicroBatch):
    """All of a micro-batch but gold, which is most of what one costs: for tests that look no further than silver."""

    def __init__(self, lake: Lake, champions: ChampionModels, *, clock: Clock) -> None:
        super().__init__(lake, champions, clock=clock)
        self.touched = NoGold(lake, champions)

    def write_gold(self, rows: GoldRows | OnDriver, tables: Collection[ProfileTable]) -> None: ...
    def tell_changes(self, now: datetime) -> None: ...


def step(lake: Lake, matcher: MatchModel | None = MODEL, kind: type[MicroBatch] = WithoutGold) -> MicroBatch:
    copy_empty_tables(lake)
    return kind(lake, Chosen(lake, matcher), clock=lambda: NOW)


def feed(batch: MicroBatch, batch_id: int, rows: Sequence[dict[str, Any]]) -> None:
    are_few = batch.lake.uses_delta_rs
    batch(few_leaves(batch.lake, rows) if are_few else leaves(batch.lake.spark, rows), once(batch_id))


def take(
    lake: Lake, identity: IdentityStep, rows: Sequence[dict[str, Any]], batch_id: int, matcher: MatchModel = MODEL
) -> None:
    """What a micro-batch does to the tables that matching reads and writes."""
    brought = few_leaves(lake, rows) if lake.uses_delta_rs else leaves(lake.spark, rows).persist()
    personal_traits.merge(lake, brought, once(0))
    here = brought.select([*GRAPH_COLUMNS])
    here = here if isinstance(here, pa.Table) else here.toArrow()
    identity.resolve_batch(
        facts_of(here), batch_id=batch_id, now=NOW, matcher=matcher, described=here["actor_id"].unique().to_pylist()
    )


def groups(lake: Lake) -> set[frozenset[str]]:
    """The partition, every actor by its cookie."""
    edges = all_rows(lake, SILVER_IDENTITY_EDGES)
    edges = edges[edges["identifier_type"] == "anonymous_id"]
    rows = all_rows(lake, SILVER_IDENTITY_MAP)
    names = edges.merge(rows, on="actor_id").groupby("profile_id")["identifier_token"].agg(frozenset)
    return set(names)


def due(lake: Lake, rows: Sequence[dict[str, Any]], matcher: MatchModel = MODEL) -> dict[Table, Counter[str]]:
    """What all events at once come to, by the overrides of the lake."""
    of_all = leaves(lake.spark, rows).persist()
    traits = SILVER_PERSONAL_TRAITS.transform(of_all)
    rebuilt = rebuilt_identity(lake, actors(of_all), traits, matcher, now=NOW)
    return {table: said(expected.toArrow().to_batches(), table) for table, expected in rebuilt.items()}


def missed(lake: Lake, all_due: Mapping[Table, Counter[str]]) -> dict[str, int]:
    """Rows that differ from those due, by table."""
    differing = {}
    for table, expected in all_due.items():
        held = said(lake.batches(table), table)
        differing[table.name] = (held - expected).total() + (expected - held).total()
    return differing


def differences(lake: Lake, rows: Sequence[dict[str, Any]], matcher: MatchModel = MODEL) -> dict[str, int]:
    """Rows that differ from what all events at once come to, by table."""
    return missed(lake, due(lake, rows, matcher))


def said(rows: Iterable[pa.RecordBatch], table: Table) -> Counter[str]:
    """What the rows say, but for when they were written."""
    columns = [column.name for column in table.columns if column.name in {*table.key, *table.content}]
    return Counter(str(_rounded(row)) for batch in rows for row in batch.select(columns).to_pylist())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 9) if isinstance(value, float) else value


def content(lake: Lake, *tables: Table) -> dict[str, list[str]]:
    return {table.name: sorted(map(str, lake.read(table).collect())) for table in tables}


TWINS = [described(1, "Robert", "Allen", "1971-06-24"), described(2, "Rob", "Allen", "1971-06-24")]
OTHER = described(3, "Grace", "Kelly", "1991-04-26")
NAMESAKE = described(4, "Zoe", "Allen", "1999-09-09")  # compared with the twins, and of too little in common to be kept


def test_two_records_of_one_person_become_one_profile_and_the_evidence_says_why(lake: Lake) -> None:
    feed(step(lake), 0, [*TWINS, OTHER])
    assert groups(lake) == {frozenset({"web-1", "web-2"}), frozenset({"web-3"})}
    (pair,) = lake.read(SILVER_IDENTITY_REVIEW).collect()
    assert pair["verdict"] == "match"
    assert [field["field"] for field in pair["evidence"]] == ["first_name", "last_name", "birthday"]
    text = whois(lake, "anonymous_id", "web-2")
    assert "match, since 2026-02-01" in text
    assert "birthday +9.0" in text
    assert "priority" not in text


MET = [TWINS[0], OTHER, NAMESAKE], [TWINS[1]]  # micro-batches


@pytest.fixture(scope="module")
def due_of_those_who_met(new_lake: Callable[[str], Lake]) -> dict[Table, Counter[str]]:
    copy_empty_tables(lake := new_lake("met"))
    return due(lake, [row for part in MET for row in part])


@pytest.mark.parametrize("writer", ["delta-rs", "delta-rs, of many", "spark"])
def test_records_of_different_batches_meet(
    lake: Lake, writer: str, due_of_those_who_met: dict[Table, Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_empty_tables(lake)
    take(lake, IdentityStep(lake), MET[0], 0)
    lake.uses_delta_rs = writer != "spark"
    if "many" in writer:
        monkeypatch.setattr(personal_traits, "FEW_TRAITS", 0)
        monkeypatch.setattr(refresh, "FEW_PAIRS", 0)
    take(lake, IdentityStep(lake), MET[1], 1)
    assert groups(lake) == {frozenset({"web-1", "web-2"}), frozenset({"web-3"}), frozenset({"web-4"})}
    assert missed(lake, due_of_those_who_met) == dict.fromkeys(
        ["silver.match_blocks", "silver.identity_review", "silver.identity_edges", "silver.identity_map"], 0
    )


def test_twins_are_told_apart_and_whom_nothing_tells_joins_neither(lake: Lake) -> None:
    twins = [described(1, "Ann", "Lee", "1985-01-05"), described(2, "Kate", "Lee", "1985-01-05")]
    nameless = described(3, "", "Lee", "1985-01-05")
    feed(step(lake, HOUSEHOLDS), 0, [*twins, nameless])
    assert groups(lake) == {frozenset({"web-1"}), frozenset({"web-2"}), frozenset({"web-3"})}
    rows = lake.read(SILVER_IDENTITY_REVIEW).collect()
    assert sorted(row["verdict"] for row in rows) == ["apart", "match", "match"]
    (apart,) = [row for row in rows if row["verdict"] == "apart"]
    assert apart["evidence"][-1]["field"] == "household"
    assert apart["evidence"][-1]["bits"] < -5
    assert set(differences(lake, [*twins, nameless], HOUSEHOLDS).values()) == {0}


def test_a_corrected_trait_takes_the_pair_back(lake: Lake) -> None:
    batch = step(lake)
    feed(batch, 0, [*TWINS, OTHER])
    feed(batch, 1, [described(2, "Hugo", "Smith", "1950-01-01", minute=9)])
    assert groups(lake) == {frozenset({"web-1"}), frozenset({"web-2"}), frozenset({"web-3"})}
    assert lake.read(SILVER_IDENTITY_REVIEW).count() == 0
    assert lake.read(SILVER_IDENTITY_EDGES).where("kind = 'probabilistic'").count() == 0


def test_a_pair_never_joins_two_logins(lake: Lake) -> None:
    rows = [
        described(1, "Robert", "Allen", "1971-06-24", user_id="u-1"),
        described(2, "Robert", "Allen", "1971-06-24", user_id="u-2"),
    ]
    feed(step(lake), 0, rows)
    assert groups(lake) == {frozenset({"web-1"}), frozenset({"web-2"})}
    assert lake.read(SILVER_IDENTITY_REVIEW).count() == 1


def test_a_new_model_matches_everybody_again_without_an_event(lake: Lake) -> None:
    feed(step(lake, None), 0, [*TWINS, OTHER])
    assert len(groups(lake)) == 3
    step(lake).catch_up()
    assert groups(lake) == {frozenset({"web-1", "web-2"}), frozenset({"web-3"})}
    assert {row["model_version"] for row in lake.read(SILVER_MATCH_BLOCKS).collect()} == {"v7"}


def asked(action: str, one: str, other: str) -> Override:
    identifiers = tuple(sorted(NamedIdentifier("anonymous_id", token) for token in (one, other)))
    return Override(action=action, identifiers=identifiers, created_by="ann", reason="called us", created_at=NOW)


def test_unlink_then_undo_restores_everything_and_a_replay_does_not_bring_the_link_back(lake: Lake) -> None:
    batch = step(lake)
    feed(batch, 0, [*TWINS, OTHER])
    before = content(lake, SILVER_IDENTITY_EDGES, SILVER_IDENTITY_REVIEW)
    parts = {tuple(row) for row in lake.read(SILVER_IDENTITY_MAP).drop("resolved_at").collect()}
    unlink = asked("unlink", "web-1", "web-2")
    override_store.ask(override_store.store_of(lake), unlink)
    batch.catch_up()
    assert len(groups(lake)) == 3
    assert set(differences(lake, [*TWINS, OTHER]).values()) == {0}
    feed(step(lake), 1, TWINS)
    assert len(groups(lake)) == 3
    override_store.ask(
        override_store.store_of(lake), Undo(override_id=unlink.override_id, by="ann", reason="mistaken", at=NOW)
    )
    step(lake).catch_up()
    assert content(lake, SILVER_IDENTITY_EDGES, SILVER_IDENTITY_REVIEW) == before
    assert {tuple(row) for row in lake.read(SILVER_IDENTITY_MAP).drop("resolved_at").collect()} == parts
    types = [row["type"] for row in lake.read(SILVER_IDENTITY_LOG).orderBy("changed_at").collect()]
    assert sorted(types) == ["create", "create", "create", "merge", "split"]


def test_a_link_joins_gold_too_and_whois_names_who_asked(lake: Lake) -> None:
    batch = step(lake, kind=MicroBatch)
    feed(batch, 0, [TWINS[0], OTHER])
    override_store.ask(override_store.store_of(lake), asked("link", "web-1", "web-3"))
    batch.catch_up()
    assert groups(lake) == {frozenset({"web-1", "web-3"})}
    assert [row["event_count"] for row in lake.read(GOLD_ACTIVATION).collect()] == [2]
    assert "linked by ann on 2026-03-01: called us" in whois(lake, "anonymous_id", "web-3")
