"""batch/experiments.py --off-policy: figures worked out by hand, worlds whose truth is known, bad input told by row and column."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kafka import KafkaProducer

from batch import experiments
from lakehouse.config import Config
from lakehouse.decisions.decision_record import DecisionRecord, decision_message, outcome_message
from lakehouse.errors import SourceError
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.lake.delta import Lake
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from tests.lakehouse.lake.test_lock import another_writer

COLUMNS = ["--action", "item", "--reward", "click", "--propensity", "p", "--policy", "new"]
AT_MS = 1_790_000_000_000


def told(capsys: pytest.CaptureFixture[str], argv: list[str], code: int = 0) -> dict[str, Any]:
    assert experiments.main(argv) == code
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def file_of(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(folder / "log.csv", index=False)
    return folder / "log.csv"


def forty() -> pd.DataFrame:
    """24 times a, 12 of them rewarded; 16 times b, 4 rewarded. Both by chance of one half; the new policy prefers a."""
    return pd.DataFrame(
        {
            "item": ["a"] * 24 + ["b"] * 16,
            "click": [1] * 12 + [0] * 12 + [1] * 4 + [0] * 12,
            "p": 0.5,
            "new": [0.75] * 24 + [0.25] * 16,
            "q": 0.25,
            "q_new": 0.25,
        }
    )


def test_the_figures_are_those_worked_out_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(tmp_path, forty())
    found = told(capsys, ["--off-policy", str(path), *COLUMNS, "--value", "q", "q_new"])
    assert found["ipw"]["value"] == pytest.approx((12 * 1.5 + 4 * 0.5) / 40)
    assert found["snipw"]["value"] == pytest.approx(20 / 44)
    assert found["dr"]["value"] == pytest.approx(0.25 + (1.5 * (12 - 6) + 0.5 * (4 - 4)) / 40)
    assert found["effective_n"] == pytest.approx(44**2 / (24 * 2.25 + 16 * 0.25))
    assert (found["n"], found["mean_weight"]) == (40, pytest.approx(1.1))
    assert found["logged_mean"] == pytest.approx(16 / 40)
    rewarded = np.array([1.5] * 12 + [0.0] * 12 + [0.5] * 4 + [0.0] * 12)
    half = 1.959964 * rewarded.std(ddof=1) / np.sqrt(40)
    assert found["ipw"]["interval"] == pytest.approx([0.5 - half, 0.5 + half], rel=1e-6)


def test_a_person_reads_what_was_done_and_what_it_would_have_earned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert experiments.main(["--off-policy", str(file_of(tmp_path, forty())), *COLUMNS]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["a", "24", "0.5", "0.5", "0.75"]
    assert lines[3] == "effective sample 33 of 40, mean weight 1.100, largest weight 3.4% of all"
    assert [line.split()[0] for line in lines[4:]] == ["earned", "inverse", "self-normalised"]
    assert json.loads(last)["dr"] is None


def test_the_truth_of_a_simulated_world_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, rows = np.random.default_rng(11), 5000
    logging, new, rates = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.2, 0.4])
    arm = rng.choice(3, rows, p=logging)
    frame = pd.DataFrame(
        {
            "item": np.array(["x", "y", "z"])[arm],
            "click": rng.random(rows) < rates[arm],
            "p": logging[arm],
            "new": new[arm],
            "q": rates[arm] + 0.05,
            "q_new": rates @ new + 0.05,
        }
    )
    path = file_of(tmp_path, frame)
    found = told(capsys, ["--off-policy", str(path), *COLUMNS, "--value", "q", "--value", "q_new"])
    for name in ("ipw", "snipw", "dr"):
        low, high = found[name]["interval"]
        assert abs(found[name]["value"] - rates @ new) < high - low  # 3.9 standard errors
        assert high - low < 0.08
    assert found["logged_mean"] == pytest.approx(rates @ logging, abs=0.02)  # which is far from it


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("p", 3, 0, ["column 'p', row 3", "'0.0'", "above 0"]),
        ("p", 1, 1.5, ["column 'p', row 1", "'1.5'", "at most 1"]),
        ("p", 40, None, ["column 'p', row 40", "got nothing"]),
        ("p", 2, -0.1, ["column 'p', row 2"]),
        ("new", 4, 1.2, ["column 'new', row 4", "from 0 to 1"]),
        ("new", 5, "often", ["column 'new', row 5", "'often'"]),
        ("click", 6, "inf", ["column 'click', row 6", "'inf'"]),
        ("click", 7, None, ["column 'click', row 7", "a number"]),
        ("item", 8, None, ["column 'item', row 8", "an action"]),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, column: str, row: int, value: object, words: list[str]) -> None:
    frame = forty().astype(object)
    frame.loc[row - 1, column] = value
    with pytest.raises(SourceError) as caught:
        experiments.main(["--off-policy", str(file_of(tmp_path, frame)), *COLUMNS])
    assert all(word in str(caught.value) for word in words), caught.value


def test_columns_that_are_not_there_or_too_few_are_named(tmp_path: Path) -> None:
    path = str(file_of(tmp_path, forty()))
    with pytest.raises(SourceError, match="no column 'clicks'; did you mean 'click'"):
        experiments.main(["--off-policy", path, *COLUMNS, "--reward", "clicks"])
    with pytest.raises(SourceError, match="--value: got 1 columns, expected two"):
        experiments.main(["--off-policy", path, *COLUMNS, "--value", "q"])
    with pytest.raises(SourceError, match=r"nothing\.csv: cannot be read"):
        experiments.main(["--off-policy", str(tmp_path / "nothing.csv"), *COLUMNS])


@pytest.mark.parametrize(
    "argv",
    [["--off-policy", "x.csv", "--policy", "p"], ["--off-policy", "--reward", "r"], ["--off-policy", "--log", "x"]],
)
def test_what_is_not_said_is_asked_for(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        experiments.main(argv)
    assert "--off-policy needs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"new": [0.0] * 39 + [1.0], "p": [0.5] * 39 + [0.025]}, "effective sample 1 of 40"),
        ({"new": [1.0] * 40}, "mean weight 2.00"),
        ({"new": [0.0] * 40}, "effective sample 0 of 40"),
    ],
)
def test_it_refuses_rather_than_guesses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], reason: str
) -> None:
    frame = forty().assign(**changes)
    found = told(capsys, ["--off-policy", str(file_of(tmp_path, frame)), *COLUMNS], code=1)
    assert found["is_refused"]
    assert reason in found["refused_because"]
    assert (found["ipw"], found["snipw"], found["dr"]) == (None, None, None)


RATES = {"welcome": 0.1, "bundle": 0.2, "preview": 0.4}
CHANCES = {"welcome": 0.5, "bundle": 0.3, "preview": 0.2}


def decided(number: int, action: str, **changes: Any) -> DecisionRecord:
    plain: dict[str, Any] = {
        **{"decision_id": f"d-{number}", "kind": "offer", "unit": f"p-{number}", "at_ms": AT_MS, "action": action},
        **{"propensity": CHANCES.get(action, 1.0), "is_forced": False, "policy": "thompson"},
        **{"policy_version": "thompson-0", "shown_on": None, "experiments": {}},
    }
    return DecisionRecord(**(plain | changes))


def messages_of_the_service(decisions: int) -> list[dict[str, Any]]:
    """Decisions by chance and their outcomes, as the service logs them; and what cannot be weighed."""
    rng, names = np.random.default_rng(5), list(CHANCES)
    messages = []
    for number in range(decisions):
        one = decided(number, names[rng.choice(3, p=list(CHANCES.values()))])
        messages.append(decision_message(one, [one.action, *(name for name in names if name != one.action)]))
        if rng.random() < RATES[one.action]:
            messages.append(outcome_message(one, "converted", 1.0, AT_MS + 60_000))
        if number % 3 == 0:
            messages.append(outcome_message(one, "converted_late", 1.0, AT_MS + 400 * 86_400_000))
    for number in range(decisions, decisions + 10):
        forced = decided(number, "welcome", propensity=1.0, is_forced=True)
        messages += [decision_message(forced, ["welcome"]), outcome_message(forced, "converted", 1.0, AT_MS)]
    messages += [decision_message(decided(decisions + 10, "none"), [])]
    messages += [decision_message(decided(decisions + 11, "welcome", propensity=1.0), names)]
    messages += [decision_message(decided(decisions + 12, "p-1,p-2", kind="products"), ["p-1", "p-2"])]
    return messages


@pytest.fixture
def logged(kafka: RunningBroker, config: Config, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A topic of decisions that the command is configured to read; `lake`: for its session. Another process writes the lake."""
    topic = "off-policy-test"
    admin.create_topic(kafka, topic, 1)
    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", config.lake.root)
    monkeypatch.setenv("STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("STITCHLAKE__DECISION_LOG__TOPIC", topic)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for message in messages_of_the_service(3000):
        producer.send(topic, json.dumps(message).encode())
    producer.close()
    for table in (SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP):  # which say whose the logged names are
        lake.create(table)
    with another_writer(config):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("logged")
def test_what_other_policies_would_have_earned_is_told_from_the_services_own_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    truths = {"uniform": sum(RATES.values()) / 3, "best_arm": RATES["preview"]}
    for policy, truth in truths.items():
        found = told(capsys, ["--off-policy", "--policy", policy, "--reward", "converted"])
        assert found["n"] == 3000
        assert found["left_out"] == {
            **{"forced by a rule": 10, "without a candidate": 1, "chosen without exploring": 1, "of no offer": 1}
        }
        assert found["logged_mean"] == pytest.approx(sum(RATES[name] * CHANCES[name] for name in RATES), abs=0.02)
        for name in ("ipw", "snipw", "dr"):
            low, high = found[name]["interval"]
            assert abs(found[name]["value"] - truth) < high - low < 0.2, (policy, name)
    assert told(capsys, ["--off-policy", "--policy", "uniform", "--reward", "converted_late"])["ipw"]["value"] == 0
    for argv, words in (
        (["--policy", "uniform", "--reward", "bought"], "there are: converted, converted_late"),
        (["--policy", "greedy", "--reward", "converted"], "expected one of uniform, best_arm"),
    ):
        with pytest.raises(SourceError, match=words):
            experiments.main(["--off-policy", *argv])
