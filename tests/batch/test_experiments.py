"""batch/experiments.py --log: a log of any kind, however it is delimited or compressed, gives the same read-out."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from batch import experiments
from lakehouse.errors import SourceError
from lakehouse.experiments.log_file import DELIMITERS

UNITS = pd.DataFrame(
    {
        "user, of the shop": [f"u-{n}" for n in range(40)],
        "variant": ["control", "new"] * 20,
        "spend": [float(n % 7) for n in range(40)],
        "returned": [n % 3 == 0 for n in range(40)],
    }
)
COLUMNS = ["--unit", "user, of the shop", "--arm", "variant", "--metric", "spend", "--metric", "returned"]


def read_out(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert experiments.main(["--log", str(path), *COLUMNS]) == 0
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("name", ["log.csv", "log.tsv", "log.csv.gz"])
def test_however_it_is_delimited_or_compressed(
    delimiter: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    UNITS.to_csv(tmp_path / name, index=False, sep=delimiter)
    UNITS.to_parquet(tmp_path / "log.parquet", index=False)
    found = read_out(tmp_path / name, capsys)
    assert found == read_out(tmp_path / "log.parquet", capsys)
    means = UNITS.groupby("variant")[["spend", "returned"]].mean()
    for arm in ("control", "new"):
        assert found["arms"][arm]["n"] == 20
        assert found["arms"][arm]["means"] == pytest.approx(means.loc[arm].to_dict())


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SourceError, match=r"^log\.csv: cannot be read .*expected CSV or Parquet with a header$"):
        experiments.main(["--log", str(tmp_path / "log.csv"), *COLUMNS])


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("")
    with pytest.raises(SourceError, match=r"^log\.csv: cannot be read .*expected CSV or Parquet with a header$"):
        experiments.main(["--log", str(tmp_path / "log.csv"), *COLUMNS])


def test_names_are_taken_character_by_character(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = 2**60
    rows = pd.DataFrame({"who": [str(long), str(long + 1), "007", "7", "None", "null"], "spend": [1.0, 2, 3, 4, 5, 6]})
    rows["variant"] = ["007", "None"] * 3
    rows.to_csv(tmp_path / "log.csv", index=False)
    rows.to_parquet(tmp_path / "log.parquet", index=False)
    for name in ("log.csv", "log.parquet"):
        command = ["--log", str(tmp_path / name), "--unit", "who", "--arm", "variant", "--metric", "spend"]
        assert experiments.main(command) == 0
        arms = json.loads(capsys.readouterr().out.splitlines()[-1])["arms"]
        assert {arm: (of["n"], of["mean"]) for arm, of in arms.items()} == {"007": (3, 3.0), "None": (3, 4.0)}


def test_whole_numbers_keep_their_digits_where_one_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    who = pd.array([2**60, 2**60 + 1, 2**60 + 2, None], dtype="Int64")
    pd.DataFrame({"who": who, "variant": [0, 1, 1, 0], "spend": [1.0, 2, 3, 4]}).to_parquet(tmp_path / "log.parquet")
    command = ["--log", str(tmp_path / "log.parquet"), "--unit", "who", "--arm", "variant", "--metric", "spend"]
    assert experiments.main(command) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["rows_without_arm_or_unit"] == 1
    assert {arm: of["n"] for arm, of in facts["arms"].items()} == {"0": 1, "1": 2}


def test_an_arm_that_nobody_is_in_blocks_the_read_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    UNITS.to_csv(tmp_path / "log.csv", index=False)
    declared = ["--expected", "control=1", "new=1", "--expected", "newer=1"]
    assert experiments.main(["--log", str(tmp_path / "log.csv"), *COLUMNS, *declared]) == 1
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["is_blocked"]
    assert facts["arms"]["newer"] == {"n": 0, "mean": None, "means": {"spend": None, "returned": None}}
