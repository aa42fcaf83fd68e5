import csv
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.errors import DestinationAwayError, ExportError
from lakehouse.exports import whole_run
from lakehouse.exports.places.files import FilePlace, WholeFile, part_of
from lakehouse.exports.rows import Sending
from tests.lakehouse.exports.shop import Shop, adds_up, person


def shop(folder: Path, into: str, **export: object) -> Shop:
    return Shop(folder, {"kind": "folder", "path": str(folder / "out")}, into=into, **{"mode": "mirror", **export})


def test_a_cell_that_a_spreadsheet_would_calculate_is_text(tmp_path: Path) -> None:
    formulas = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", 'say "hi", ann', "plain")
    one = shop(
        tmp_path,
        "people.csv",
        columns={"=id": "profile_id", "segment": "segment", "debt": "0 - frequency"},
        key=["=id"],
    )
    one.people(*(person(f"p{number}", formula) for number, formula in enumerate(formulas)))
    one.run()
    with (tmp_path / "out" / "people.csv").open(newline="", encoding="utf-8") as handle:
        head, *rows = csv.reader(handle)
    assert head == ["'=id", "segment", "debt"]
    assert [row[1] for row in rows] == [f"'{formula}" for formula in formulas[:6]] + list(formulas[6:])
    assert {row[2] for row in rows} == {"-2.0"}, "a number of ours is one"


def test_parquet_and_lines_hold_what_gold_says(tmp_path: Path) -> None:
    for into in ("people.parquet", "people.jsonl"):
        one = shop(tmp_path / into, into) if (tmp_path / into).mkdir() is None else None
        assert one is not None
        one.people(person("ann"), person("bob", None))
        one.run()
        path = tmp_path / into / "out" / into
        rows = (
            pq.read_table(path).to_pylist()
            if into.endswith("parquet")
            else [json.loads(line) for line in path.read_text().splitlines()]
        )
        revenue = Decimal("12.50") if into.endswith("parquet") else "12.50"
        assert rows == [
            {"id": "ann", "segment": "loyal", "revenue": revenue},
            {"id": "bob", "segment": None, "revenue": revenue},
        ]


def test_a_file_is_replaced_where_anything_changed_and_left_alone_where_nothing_did(tmp_path: Path) -> None:
    one = shop(tmp_path, "people.csv")
    path = tmp_path / "out" / "people.csv"
    one.people(person("ann"), person("bob"))
    one.run()
    before = path.stat()
    assert one.run().counts["delivered"] == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    one.people(person("ann"), person("bob", consent_marketing=False))
    counts = one.run().counts
    assert (counts["removed"], counts["withheld"]) == (1, 1)
    assert "bob" not in path.read_text()
    assert [child.name for child in path.parent.iterdir()] == ["people.csv"], "no part of a file is left"
    path.unlink()
    with pytest.raises(ExportError, match="not there any more"):
        one.run()


def test_a_file_of_many_pieces_is_there_at_once_and_holds_whom_the_gate_lets_pass_at_the_last_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_run, "PIECE", 2)
    one = shop(tmp_path, "people.csv", columns={"id": "profile_id"})
    names = [f"p{number}" for number in range(7)]
    path = tmp_path / "out" / "people.csv"
    one.people(*map(person, names))
    one.run()
    assert path.read_text().split() == ["id", *names]
    written, seen = WholeFile.replace, list[str]()

    def replace(place: FilePlace, sends: Iterable[Sending]) -> Sent | Retry:
        """Somebody withdraws while it is written; and the first try is lost."""
        for number, sending in enumerate(sends):
            if number == 2:
                one.people(*(person(name, consent_marketing=name != "p5") for name in names), person("new"))
            seen.append(sending.key)
        assert path.read_text().split() == ["id", *names], "nobody sees half of it"
        monkeypatch.setattr(WholeFile, "replace", written)
        return Retry("lost")

    one.people(*map(person, names), person("new"))
    monkeypatch.setattr(WholeFile, "replace", replace)
    counts = one.run().counts
    assert "p5" not in seen
    assert path.read_text().split() == ["id", "new", *(name for name in names if name != "p5")]
    assert (counts["delivered"], counts["withheld"], counts["removed"], counts["not_removed"]) == (7, 1, 1, 0)
    assert one.ledger() == dict.fromkeys({*names, "new"} - {"p5"}, ("delivered", True))
    assert all(adds_up(run) for run in one.runs())


def test_a_file_that_cannot_be_put_is_told_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = shop(tmp_path, "people.csv", columns={"id": "profile_id"})
    one.people(person("ann"))
    one.run()
    one.people(person("ann"), person("bob"))
    monkeypatch.setattr(WholeFile, "replace", lambda *_: Retry("no room"))
    with pytest.raises(DestinationAwayError, match="no room"):
        one.run()
    monkeypatch.undo()
    assert (tmp_path / "out" / "people.csv").read_text().split() == ["id", "ann"]
    assert [run["unanswered"] for run in one.runs()] == [0, 2]
    assert one.run().counts["delivered"] == 2
    assert all(adds_up(run) for run in one.runs())


@pytest.mark.parametrize(
    ("into", "mode", "told"),
    [
        ("../people.csv", "mirror", "into"),
        ("people.xlsx", "mirror", "into"),
        ("people.csv", "upsert", "expected mirror"),
    ],
)
def test_what_a_file_cannot_be_is_refused(tmp_path: Path, into: str, mode: str, told: str) -> None:
    with pytest.raises(ExportError, match=told):
        shop(tmp_path, into, mode=mode).run()


def test_what_a_killed_run_left_beside_is_taken_away_by_the_next(tmp_path: Path) -> None:
    one = shop(tmp_path, "people.csv")
    one.people(person("ann"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / part_of("people.csv")).write_text("id,segment,revenue\nbob,")
    one.run()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["people.csv"]


def test_a_file_is_of_one_export(tmp_path: Path) -> None:
    one = shop(tmp_path, "people.csv")
    one.people(person("ann"))
    one.others = [{**one.export, "name": "another"}]
    with pytest.raises(ExportError, match=r"people\.csv', which another writes, too"):
        one.run()
    one.others = [{**one.export, "name": "another", "is_enabled": False}]
    assert one.run().counts["delivered"] == 1
