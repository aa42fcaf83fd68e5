"""A file of people, looked at: planted repeats, gaps and outliers are found, and no value is in what is told."""

import json
from pathlib import Path

from lakehouse.config.paths import SOURCES
from lakehouse.sources.examination import NO_HEADER
from lakehouse.sources.people_report import PeopleReport, lines, people_report
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source
from tests.lakehouse.sources.test_imputation import people
from tests.lakehouse.sources.test_mapping import CONFIG, NOW

HEADER = "Customer ID,E-Mail,Mobile Phone,First Name,Country,Updated at,Date of birth,Turnover\n"
SECRETS = ("Zoltan", "zoltan", "example", "0102", "4711", "1875")


def reported(path: Path, source: Source) -> PeopleReport:
    return people_report(records(path, source.format, CONFIG), source, NOW)


def crm(folder: Path, *rows: str, header: str = HEADER) -> PeopleReport:
    path = folder / "people.csv"
    path.write_text(header + "\n".join(rows), encoding="utf-8")
    return reported(path, Source.named("crm", SOURCES, CONFIG))


def row(number: int, email: str = "", phone: str = "", born: str = "", turnover: str = "10") -> str:
    return f"k-{number},{email},{phone},Zoltan,US,2025-01-0{number % 9 + 1},{born},{turnover}"


def planted(folder: Path) -> PeopleReport:
    rows = [row(n, f"zoltan{n}@example.com", turnover=str(n % 7)) for n in range(20)]
    rows += [
        row(20, " ZOLTAN0@Example.COM", "+1 202-555-0102"),
        row(21, phone="(202) 555 0102"),
    ]  # one person, by two steps
    rows += [rows[3], row(22, born="1875-01-01", turnover="4711000")]
    return crm(folder, *rows)


def test_who_is_there_twice_in_any_spelling_is_found_also_by_way_of_a_third(tmp_path: Path) -> None:
    report = planted(tmp_path)
    assert (report.records, report.people, report.the_same) == (24, 21, 1)
    assert report.again == [21, 22, 23]
    shared = {type_: (one.values, one.again, one.most) for type_, one in report.shared.items()}
    assert shared == {"user_id": (23, 1, 2), "email": (20, 2, 2), "phone": (1, 1, 2)}


def test_gaps_and_what_stands_out_are_told_by_column_and_row(tmp_path: Path) -> None:
    report = planted(tmp_path)
    told = report.document()
    assert (told["columns"]["first_name"]["share"], told["columns"]["mobile_phone"]["filled"]) == (1.0, 2)
    assert told["columns"]["e_mail"]["shapes"] == {"A9@A.A": 22}
    assert told["outliers"] == {"turnover": {"cells": 1, "first_rows": [24]}}
    assert told["implausible_times"] == {"date_of_birth": {"cells": 1, "first_rows": [24]}}


def test_no_value_of_a_person_is_in_what_is_told(tmp_path: Path) -> None:
    report = planted(tmp_path)
    for told in (json.dumps(report.document()), "\n".join(lines("people.csv", report))):
        assert not [secret for secret in SECRETS if secret in told]
    bare = crm(tmp_path, row(1, "zoltan@example.com"), header=row(2, "zoltan@example.com", "+12025550102") + "\n")
    assert list(bare.columns) == [NO_HEADER], "names of columns are values there"


def test_what_is_filled_in_is_counted_and_learned_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    said = [{"country": "DE"}, {"country": "DE", "tier": "gold"}, {"points": 4}, "no record"]
    rows = [{"who": f"p{n}", "at": "2025-01-31"} | one if isinstance(one, dict) else one for n, one in enumerate(said)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = reported(path, people(tmp_path))
    assert report.fills == {"country": "DE", "points": 4.0}
    assert report.imputed == {"country": 1, "tier": 2, "points": 2, "ok": 3}
    assert (report.records, report.unreadable) == (4, 1)
    assert "DE" not in json.dumps(report.document())


def test_a_file_of_nothing_is_told_as_that(tmp_path: Path) -> None:
    report = crm(tmp_path)
    assert (report.records, report.people, report.columns) == (0, 0, {})
