"""ml/train_uplift.py: one command for a file of any kind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import SourceError
from ml import train_uplift
from tests.lakehouse.uplift.worlds import world


def frame(rows: int = 4000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    known = world("step", rows, rng)
    log = known.noisy_log(rng, noise=0.5)
    told = {"customer": log.unit, "segment": log.arm, "spend": log.reward, "p": log.propensity}
    return known.features.assign(**told, city=rng.choice(["Ulm", "Bonn"], rows))


COLUMNS = ["--unit", "customer", "--arm", "segment", "--reward", "spend", "--propensity", "p"]
FEATURES = ["--feature", *(f"x{place}" for place in range(10)), "city"]


def told(capsys: pytest.CaptureFixture[str], argv: list[str], code: int = 0) -> dict[str, Any]:
    assert train_uplift.main(argv) == code
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def test_csv_and_parquet_tell_the_same_and_the_policy_is_written_for_other_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = frame()
    rows.to_csv(tmp_path / "log.csv", index=False, sep=";")
    rows.to_parquet(tmp_path / "log.parquet", index=False)
    people = rows.head(50).drop(columns=["segment", "spend", "p"])
    people.to_csv(tmp_path / "people.csv", index=False)
    assign = ["--assign", str(tmp_path / "people.csv"), "--to", str(tmp_path / "given.csv")]
    one = told(capsys, ["--log", str(tmp_path / "log.csv"), *COLUMNS, *FEATURES, *assign, "--baseline", "arm 0"])
    two = told(capsys, ["--log", str(tmp_path / "log.parquet"), *COLUMNS, *FEATURES, "--baseline", "arm 0"])
    assert one == two
    assert one["is_offered"]
    assert one["baseline"] == "arm 0"
    given = pd.read_csv(tmp_path / "given.csv", dtype={"unit": str})
    assert given["unit"].tolist() == people["customer"].tolist()
    assert list(given.columns) == ["unit", "arm", "effect_arm 0", "effect_arm 1", "effect_arm 2"]
    assert (given["effect_arm 0"] == 0).all()
    best = given.filter(like="effect_").to_numpy().argmax(axis=1)
    assert given["arm"].tolist() == [f"arm {place}" for place in best]


def test_where_no_policy_is_offered_everybody_gets_the_best_blanket_action(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = frame(1000).assign(spend=lambda one: (one["segment"] == "arm 2") * 1.0)
    rows.to_csv(tmp_path / "log.csv", index=False)
    path, given = str(tmp_path / "log.csv"), tmp_path / "given.csv"
    found = told(capsys, ["--log", path, *COLUMNS, "--feature", "x0", "--assign", path, "--to", str(given)])
    assert (found["is_offered"], found["best_blanket"]) == (False, "arm 2")
    assert set(pd.read_csv(given)["arm"]) == {"arm 2"}


def test_wrong_propensities_are_refused_with_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame().assign(p=0.9).to_csv(tmp_path / "log.csv", index=False)
    found = told(capsys, ["--log", str(tmp_path / "log.csv"), *COLUMNS, "--feature", "x0"], code=1)
    assert found["is_refused"]
    assert found["arms"] == {}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--reward", "spend", "--log", "x.csv"], "--log needs --arm"),
        (["--reward", "spend", "--arm", "segment"], "--arm is of a file"),
        (["--reward", "spend", "--log", "x", "--arm", "a", "--feature", "b", "--assign", "y"], "are given together"),
        (["--reward", "s", "--log", "x", "--arm", "a", "--feature", "b", "--category", "c"], "'c' is no --feature"),
        (["--reward", "s", "--log", "x", "--arm", "a", "--feature", "b", "--alpha", "2"], "--alpha: got 2.0"),
        (["--reward", "s", "--log", "x", "--arm", "a", "--feature", "b", "--experiment", "e"], "two questions"),
        (
            ["--reward", "s", "--log", "x", "--arm", "a", "--feature", "b", "--name", "uplift_decisions"],
            "gives people offers",
        ),
        (["--reward", "s", "--experiment", "e", "--name", "uplift_decisions"], "gives people offers"),
        (["--reward", "s", "--experiment", "decisions"], "gives people offers"),
        (
            ["--reward", "s", "--log", "x", "--arm", "a", "--feature", "b", "--propensity", "p", "--expected", "a=1"],
            "give one",
        ),
    ],
)
def test_what_is_not_said_is_asked_for(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train_uplift.main(argv)
    assert words in capsys.readouterr().err


def test_bad_columns_and_costs_are_told(tmp_path: Path) -> None:
    frame(600).to_csv(tmp_path / "log.csv", index=False)
    log = ["--log", str(tmp_path / "log.csv"), "--arm", "segment", "--reward", "spend"]
    for more, words in (
        (["--feature", "ages"], "no column 'ages'"),
        (["--feature", "spend"], "is the reward"),
        (["--feature", "x0", "--cost", "arm 1=dear"], "--cost: got 'arm 1=dear', expected ARM=COST"),
        (["--feature", "x0", "--cost", "arm 7=1"], "--cost: no arm 'arm 7'"),
        (["--feature", "x0", "--cost", "arm 7=1", "--cost", "arm 1=1"], "--cost: no arm 'arm 7'"),
        (["--feature", "x0", "--cost", "arm 1=1", "arm 1=2"], "--cost: got 'arm 1' twice"),
        (["--feature", "x0", "--expected", "arm 1=0"], "--expected: got 'arm 1=0', expected a share above 0"),
        (["--feature", "x0", "--baseline", "arm 7"], "--baseline: no arm 'arm 7'"),
    ):
        with pytest.raises(SourceError, match=words):
            train_uplift.main([*log, *more])


def test_an_experiment_nobody_declared_is_told() -> None:
    with pytest.raises(SourceError, match=r"no experiment 'nothing' in experiments\.yaml, there are"):
        train_uplift.main(["--experiment", "nothing", "--reward", "converted"])
