"""Runs into a real PostgreSQL, killed, unanswered and refused in the middle."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.actions.delivery import Retry
from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.exports.places.postgres import PostgresPlace
from lakehouse.exports.run import MOST_REFUSALS
from lakehouse.lake.delta import arrow_schema
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from tests.lakehouse.exports.databases import is_told_why_not, query, shop, stored
from tests.lakehouse.exports.shop import NOW, Shop, adds_up, leaked, person

APPLY = PostgresPlace.apply
VALUE = Decimal("12.50")


class Killed(BaseException):
    """The process, at this moment."""


def test_what_changed_is_sent_and_nothing_else(tmp_path: Path, postgres_port: int) -> None:
    one = shop(tmp_path, postgres_port, "changed")
    one.people(person("ann"), person("bob", "new"), person("cat", None))
    assert one.run().counts["delivered"] == 3
    assert stored(postgres_port, "changed") == {"ann": ("loyal", VALUE), "bob": ("new", VALUE), "cat": (None, VALUE)}
    second = one.run().counts
    assert (second["delivered"], second["unchanged"]) == (0, 3)
    one.people(person("ann", "lost", frequency=9), person("bob", "new"), person("dan"))
    third = one.run()
    assert (third.counts["delivered"], third.counts["unchanged"], third.counts["removed"]) == (2, 1, 1)
    assert third.counts["read"] == 3
    assert set(stored(postgres_port, "changed")) == {"ann", "bob", "dan"}, (
        "a profile that is no more is taken from there"
    )
    assert one.ledger() == dict.fromkeys(("ann", "bob", "dan"), ("delivered", True))
    assert all(adds_up(run) and run["state"] == "finished" for run in one.runs())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("insert", {"ann": "old", "bob": "there", "new": "here"}),
        ("update", {"bob": "now"}),
        ("upsert", {"ann": "now", "bob": "now", "new": "here", "left": "old"}),
        ("mirror", {"ann": "now", "bob": "now", "new": "here"}),
    ],
)
def test_each_mode(tmp_path: Path, postgres_port: int, mode: str, expected: dict[str, str]) -> None:
    one = shop(tmp_path, postgres_port, f"mode_{mode}", mode=mode, where="frequency > 0")
    table = f"mode_{mode}"
    query(postgres_port, f"CREATE TABLE {table} (id text PRIMARY KEY, segment text, revenue numeric)")
    query(postgres_port, f"INSERT INTO {table} VALUES ('bob', 'there', 1)")
    one.people(person("ann", "old"), person("left", "old"))
    one.run()
    one.people(person("ann", "now"), person("bob", "now"), person("new", "here"), person("left", "old", frequency=0))
    one.run()
    found = {
        key: values[0] for key, values in stored(postgres_port, table).items() if key != "left" or mode != "insert"
    }
    assert found == expected


def test_rows_are_known_again_whatever_types_the_table_has(tmp_path: Path, postgres_port: int) -> None:
    columns = {"orders": "frequency", "value": "monetary", "seen": "last_order_at", "segment": "segment"}
    key = ["orders", "value", "seen"]
    one = shop(tmp_path, postgres_port, "typed", mode="update", columns=columns, key=key)
    query(postgres_port, "CREATE TABLE typed (orders char(4), value float8, seen timestamp, segment text)")
    query(postgres_port, "INSERT INTO typed VALUES ('2', 12.5, '2026-02-19 12:00', 'before')")
    one.people(person("ann", "now"), person("bob", "new", frequency=7))
    report = one.run()
    assert (report.counts["delivered"], report.refused) == (1, {"not at the destination": 1})
    assert [row[3] for row in query(postgres_port, "SELECT * FROM typed")] == ["now"]
    one.export |= {"key": ["orders"], "mode": "mirror"}
    query(postgres_port, "CREATE UNIQUE INDEX ON typed (orders)")
    report = one.run()
    assert (report.counts["delivered"], report.counts["not_removed"]) == (2, 1)
    assert report.refused == {"a key of other columns than the export has now": 1}, "it is told, and nothing breaks"


def _expected(rows: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    may = {
        key: row
        for key, row in rows.items()
        if row.get("consent_marketing") is not False and not row.get("is_suppressed")
    }
    return {key: (row["segment"], row["monetary"]) for key, row in may.items()}


@pytest.mark.parametrize("seed", range(3))
def test_however_runs_end_the_last_one_leaves_what_gold_says(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng, table = Random(seed), f"history_{seed}"
    one = shop(tmp_path, postgres_port, table, mode="mirror", batch_rows=3)
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(5):
        for _ in range(rng.randrange(1, 9)):
            key = f"p{rng.randrange(12)}"
            row = person(key, rng.choice(["a", "b", None]), consent_marketing=rng.choice([True, None, False]))
            row["is_suppressed"] = rng.random() < 0.2
            if rows.pop(key, None) is None or rng.random() < 0.7:
                rows[key] = row
        one.people(*rows.values())
        monkeypatch.setattr(PostgresPlace, "apply", _faulty(rng))
        with contextlib.suppress(Killed, DestinationAwayError):
            one.run(is_full=rng.random() < 0.2)
        there = {key for key, (_, is_there) in one.ledger().items() if is_there} | _claimed(one)
        assert set(_stored(postgres_port, table)) <= there, "what may be there is written down"
    monkeypatch.setattr(PostgresPlace, "apply", APPLY)
    one.run()
    assert stored(postgres_port, table) == _expected(rows)
    assert one.ledger() == dict.fromkeys(_expected(rows), ("delivered", True))
    last = one.run().counts
    assert (last["delivered"], last["removed"], last["unanswered"]) == (0, 0, 0)
    assert {run["state"] for run in one.runs()} <= {"finished", "stopped", "interrupted"}
    assert all(adds_up(run) for run in one.runs())


def _faulty(rng: Random) -> Callable[..., Any]:
    """Takes some batches, and of others takes all or nothing and then dies or says nothing."""

    def apply(self: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
        fault = rng.choice(["none", "none", "none", "killed before", "killed after", "lost", "silent"])
        if fault == "killed before":
            raise Killed
        if fault == "lost":
            return {one.key: Retry("lost") for one in (*sends, *removals)}
        outcomes = APPLY(self, batch_id, sends, removals)
        if fault == "killed after":
            raise Killed
        return {key: Retry("silent") for key in outcomes} if fault == "silent" else outcomes

    return apply


def _stored(port: int, table: str) -> dict[str, tuple[Any, ...]]:
    there = query(port, f"SELECT to_regclass('{table}')")[0][0]
    return {} if there is None else dict(stored(port, table))


def _claimed(one: Shop) -> set[str]:
    """Of a run that died, whose journal nobody has folded yet."""
    dead = {run["run_id"] for run in one.runs() if run["state"] == "running"}
    changes = sorted(one.rows("export_changes").to_pylist(), key=lambda row: (row["run_id"], row["number"]))
    return {row["key"] for row in changes if row["run_id"] in dead and row["is_there"]}


def test_a_batch_of_open_outcome_is_sent_again_under_its_id(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop(tmp_path, postgres_port, "again", batch_rows=2)
    one.people(*(person(f"p{number}") for number in range(5)))
    seen: list[tuple[str, tuple[str, ...]]] = []

    def apply(self: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
        seen.append((batch_id, tuple(one.key for one in sends)))
        outcomes = APPLY(self, batch_id, sends, removals)
        if len(seen) == 2:
            raise Killed
        return outcomes

    monkeypatch.setattr(PostgresPlace, "apply", apply)
    with pytest.raises(Killed):
        one.run()
    one.people(*(person(f"p{number}") for number in range(-1, 5)))
    report = one.run()
    assert seen[2] == seen[1], "the same rows under the same id"
    # The first batch was taken; who knows, for it was not written down when the second was claimed?
    assert report.counts["unchanged"] == 2, "it was: with the claims of the second"
    assert report.counts["delivered"] == 4


def test_who_withdraws_while_a_run_is_under_way_is_not_sent(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop(tmp_path, postgres_port, "withdrawn", batch_rows=1)
    one.people(person("a"), person("b"), person("c"))

    def apply(self: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
        if [sending.key for sending in sends] == ["a"]:
            one.people(person("a"), person("b", consent_marketing=False), person("c", is_suppressed=True))
        return APPLY(self, batch_id, sends, removals)

    monkeypatch.setattr(PostgresPlace, "apply", apply)
    counts = one.run().counts
    assert (counts["delivered"], counts["withheld"]) == (1, 2)
    assert set(stored(postgres_port, "withdrawn")) == {"a"}


def test_who_withdraws_between_two_tries_is_removed(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop(tmp_path, postgres_port, "tries")
    one.people(person("a"), person("b"))
    tried: list[str] = []

    def apply(self: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
        tried.append(batch_id)
        outcomes = APPLY(self, batch_id, sends, removals)
        return {key: Retry("silent") for key in outcomes} if len(tried) == 1 else outcomes

    monkeypatch.setattr(PostgresPlace, "apply", apply)
    counts = one.run(sleep=lambda _: one.people(person("a", consent_marketing=False), person("b"))).counts
    assert (counts["delivered"], counts["withheld"], counts["removed"], counts["not_removed"]) == (1, 1, 1, 0)
    assert set(stored(postgres_port, "tries")) == {"b"}
    assert len(set(tried)) == 1


def test_a_row_that_is_refused_waits_after_some_runs_until_it_changes(tmp_path: Path, postgres_port: int) -> None:
    one = shop(tmp_path, postgres_port, "refused")
    query(
        postgres_port,
        "CREATE TABLE refused (id text PRIMARY KEY, segment text CONSTRAINT short CHECK (length(segment) < 6), revenue numeric)",
    )
    one.people(*(person(f"p{number}") for number in range(20)), person("x", "secretive"))
    report = one.run()
    assert (report.counts["delivered"], report.counts["rejected"]) == (20, 1)
    assert report.refused == {"CheckViolation of short": 1}
    for _ in range(MOST_REFUSALS - 1):
        assert one.run().counts["rejected"] == 1
    assert one.run().counts["dead"] == 1
    assert one.ledger()["x"] == ("dead", False)
    assert leaked(one, "secretive") == []
    one.people(*(person(f"p{number}") for number in range(20)), person("x", "brief"))
    assert one.run().counts["delivered"] == 1
    assert one.ledger()["x"] == ("delivered", True)


def test_a_destination_that_is_gone_or_changed_is_told_and_the_ledger_stays_true(
    tmp_path: Path, postgres_port: int
) -> None:
    one = shop(tmp_path, postgres_port, "gone")
    one.people(person("ann"))
    one.run()
    query(postgres_port, "ALTER TABLE gone DROP COLUMN segment")
    one.people(person("ann", "new"))
    with pytest.raises(ExportError, match="no column 'segment'"):
        one.run()
    query(postgres_port, "DROP TABLE gone")
    with pytest.raises(ExportError, match="table gone is gone"):
        one.run()
    assert one.ledger() == {"ann": ("delivered", True)}
    assert one.run(is_full=True).counts["delivered"] == 1
    assert stored(postgres_port, "gone") == {"ann": ("new", VALUE)}


def test_a_table_that_changes_while_a_run_is_under_way(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop(tmp_path, postgres_port, "meanwhile", batch_rows=1)
    one.people(person("a"), person("b"), person("c"))

    def apply(self: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
        outcomes = APPLY(self, batch_id, sends, removals)
        query(postgres_port, "ALTER TABLE meanwhile RENAME COLUMN segment TO other")
        return outcomes

    monkeypatch.setattr(PostgresPlace, "apply", apply)
    with pytest.raises(ExportError, match="UndefinedColumn"):
        one.run()
    (run,) = one.runs()
    assert (run["state"], run["delivered"], run["unanswered"], run["unsent"]) == ("stopped", 1, 1, 1)
    assert one.ledger() == {"a": ("delivered", True), "b": ("sending", True)}


def test_an_export_that_is_renamed_knows_what_it_told_before(tmp_path: Path, postgres_port: int) -> None:
    one = shop(tmp_path, postgres_port, "renamed", mode="mirror")
    one.people(person("ann"), person("bob"))
    one.run()
    one.export |= {"name": "customers", "was": ["people"]}
    one.people(person("ann"), person("bob", consent_marketing=False))
    counts = one.run().counts
    assert (counts["delivered"], counts["unchanged"], counts["removed"]) == (0, 1, 1)
    assert set(stored(postgres_port, "renamed")) == {"ann"}
    assert one.ledger() == {"ann": ("delivered", True)}


def test_a_key_of_two_rows_is_refused_before_anything_is_sent(tmp_path: Path, postgres_port: int) -> None:
    one = shop(tmp_path, postgres_port, "twice", columns={"id": "segment", "revenue": "monetary"})
    one.people(person("a"), person("b"), person("c", None))
    with pytest.raises(ExportError, match="1 rows share their key"):
        one.run()
    one.people(person("a"), person("c", None))
    counts = one.run().counts
    assert (counts["read"], counts["delivered"], counts["withheld"]) == (2, 1, 1), "a row without a key cannot be told"


def test_a_database_that_does_not_let_us_in_or_is_away_is_told_without_a_password(
    tmp_path: Path, postgres_port: int
) -> None:
    one = shop(tmp_path, postgres_port, "locked")
    one.people(person("ann"))
    is_told_why_not(one)
    assert one.ledger() == {}


def test_who_is_in_an_audience_is_mirrored(tmp_path: Path) -> None:
    one = Shop(
        tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.csv", mode="mirror", table="gold.audiences",
        also=["gold.activation"], where="audience = 'vip' AND valid_to IS NULL", columns={"id": "profile_id", "segment": "segment"},
    )  # fmt: skip

    def stay(profile_id: str, audience: str = "vip", since: int = 9, to: int | None = None) -> dict[str, Any]:
        ended = None if to is None else NOW - timedelta(days=to)
        return {
            "profile_id": profile_id,
            "audience": audience,
            "valid_from": NOW - timedelta(days=since),
            "valid_to": ended,
        }

    def are_in(*stays: dict[str, Any]) -> None:
        rows = pa.Table.from_pylist(list(stays), arrow_schema(GOLD_AUDIENCES).remove(2))
        write_deltalake(one.lake / "gold" / "audiences", rows, mode="overwrite")

    def mirrored() -> list[str]:
        one.run()
        return (tmp_path / "out" / "people.csv").read_text().splitlines()[1:]

    one.people(person("ann"), person("bob", "new"), person("cat", consent_marketing=False), person("dan"))
    came_back = [stay("ann", to=8), stay("ann", since=7)]
    are_in(*came_back, stay("bob"), stay("cat"), stay("dan", "other"), stay("dan", to=1))
    assert mirrored() == ["ann,loyal", "bob,new"]
    are_in(*came_back, stay("bob", to=0), stay("dan", since=0))
    assert mirrored() == ["ann,loyal", "dan,loyal"]
