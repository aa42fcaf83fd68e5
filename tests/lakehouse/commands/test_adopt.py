"""`adopt`: asks, writes a source that loads, imports it by the job, and shows no value."""

import json
from pathlib import Path

import pytest

from lakehouse.commands.adopt import Adopter, answers_of
from lakehouse.config import load
from lakehouse.errors import SourceError
from lakehouse.sources.source import Source

CONFIG = load("dev", environ={})
HEAD = "order_id,customer_id,date,total\n"


def orders(path: Path, day: str = "2024-01-{n}") -> Path:
    path.write_text(HEAD + "".join(f"o{n},secret{n % 5},{day.format(n=n)},{n}.50\n" for n in range(10, 29)))
    return path


def told(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, object]]:
    text = capsys.readouterr().out
    return text, json.loads(text.splitlines()[-1])


def test_a_source_is_written_checked_and_imported_and_no_value_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began: list[tuple[list[Path], str]] = []
    path = orders(tmp_path / "Orders 2024.csv")
    copy = orders(tmp_path / "copy.csv")

    def import_(files: object, source: str) -> int:
        began.append((list(files), source))  # type: ignore[call-overload]
        return 0

    adopter = Adopter(CONFIG, tmp_path, {}, None)
    assert adopter.run([path, copy], None, import_) == 0
    text, ends = told(capsys)
    assert ends == {"command": "adopt", "adopted": ["orders-2024"], "not_adopted": 0, "imported": 1}
    assert began == [([path], "orders-2024")]
    assert "copy.csv: the same bytes as Orders 2024.csv" in text
    assert "19 orders, 370.50 together" in text
    assert "secret" not in text
    assert Source.named("orders-2024", tmp_path, CONFIG).mapping is not None
    # Once more: the written source reads it, and nothing is written.
    assert adopter.run([copy], None, import_) == 0
    assert told(capsys)[1]["adopted"] == ["orders-2024"]
    assert [file.name for file in tmp_path.glob("*.yaml")] == ["orders-2024.yaml"]


def test_what_the_file_does_not_say_is_asked_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEAD + "".join(f"o{n},c{n % 5},0{n % 9 + 1}/0{n % 7 + 1}/2024,{n}.50\n" for n in range(10, 29)))
    assert Adopter(CONFIG, tmp_path, {}, None).run([path], None, None) == 1
    assert "not adopted: answer what is unsure above" in told(capsys)[0]
    prompts: list[str] = []

    def typed(prompt: str) -> str:
        prompts.append(prompt)
        return "2" if "number" in prompt else ""

    assert Adopter(CONFIG, tmp_path, {}, typed).run([path], None, None) == 0
    assert len(prompts) == 3  # day or month, zone, currency
    assert "%m/%d/%Y" in (tmp_path / "orders.yaml").read_text()
    capsys.readouterr()


def test_times_before_the_oldest_are_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = orders(tmp_path / "orders.csv", day="1997-01-{n}")
    assert Adopter(CONFIG, tmp_path, {}, None).run([path], None, None) == 1
    assert "export STITCHLAKE__EVENTS__OLDEST=1997-01-10" in told(capsys)[0]
    assert not list(tmp_path.glob("*.yaml"))


def test_answers_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected ID=ANSWER"):
        answers_of(["zone"])
    assert answers_of(["zone=Europe/Berlin"]) == {"zone": "Europe/Berlin"}
    with pytest.raises(SourceError, match="no such file"):
        Adopter(CONFIG, tmp_path, {}, None).run([tmp_path / "none.csv"], None, None)
    ambiguous = tmp_path / "orders.csv"
    ambiguous.write_text(HEAD + "".join(f"o{n},c{n % 5},01/02/2024,{n}.50\n" for n in range(10, 29)))
    with pytest.raises(SourceError, match="expected one of day-first, month-first"):
        Adopter(CONFIG, tmp_path, {"at.order": "first"}, None).run([ambiguous], None, None)


def test_an_answer_that_nothing_asks_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = orders(tmp_path / "orders.csv")
    with pytest.raises(SourceError, match=r"got 'zonne', which nothing asks, expected one of .*zone"):
        Adopter(CONFIG, tmp_path, {"zonne": "Europe/Berlin"}, None).run([path], None, None)
    assert not list(tmp_path.glob("*.yaml"))
    zone = {"zone": "Europe/Berlin"}
    assert Adopter(CONFIG, tmp_path, zone, None).run([path], None, None) == 0
    assert (
        Adopter(CONFIG, tmp_path, zone, None).run([path], None, None) == 0
    )  # its source reads it by now, and asks nothing
