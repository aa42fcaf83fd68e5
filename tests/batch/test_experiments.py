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
