from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lakehouse.config.paths import EXPERIMENTS
from lakehouse.errors import ConfigError, RuleError
from lakehouse.experiments.assignment import arm_of, uniform
from lakehouse.experiments.definitions import Experiments, read_experiments, unchanged

NOW = datetime(2026, 11, 26, tzinfo=UTC)
UNITS = [f"profile-{number}" for number in range(20_000)]
TWO = """
holdout: {share: 0.1}
experiments:
  - {name: one, owner: x, layer: l, buckets: [0, 5000], arms: [{name: a}, {name: b, weight: 3}], baseline: a, metrics: [m]}
  - {name: two, owner: x, layer: l, buckets: [5000, 10000], arms: [{name: a}, {name: b}], baseline: a, metrics: [m]}
  - {name: far, owner: x, layer: k, buckets: [0, 10000], arms: [{name: a}, {name: b}], baseline: a, metrics: [m]}
"""


def read(tmp_path: Path, text: str) -> Experiments:
    file = tmp_path / "experiments.yaml"
    file.write_text(text)
    return read_experiments(file)


def test_the_shipped_file_is_sound_and_tries_nothing_unasked() -> None:
    found = read_experiments(EXPERIMENTS)
    assert found.by_name
    assert not any(found.assign(unit, NOW) or found.held_out(unit) for unit in UNITS[:500])


def test_hashes_are_even_and_independent_between_salts() -> None:
    one, other = (np.array([uniform(salt, unit) for unit in UNITS]) for salt in ("one", "other"))
    assert stats.kstest(one, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    shares = [arm_of("s", unit, ["a", "b"], [1, 3]) for unit in UNITS]
    assert stats.binomtest(shares.count("a"), len(UNITS), 0.25).pvalue > 0.001


def test_one_layer_is_shared_out_and_layers_are_independent(tmp_path: Path) -> None:
    found = read(tmp_path, TWO)
    assigned = [found.assign(unit, NOW) for unit in UNITS]
    in_layers = [arms for unit, arms in zip(UNITS, assigned, strict=True) if not found.held_out(unit)]
    assert all(("one" in arms) != ("two" in arms) for arms in in_layers)
    assert all("far" in arms for arms in in_layers)
    assert 0.09 < sum(found.held_out(unit) is not None for unit in UNITS) / len(UNITS) < 0.11
    both = [(arms["one"].name, arms["far"].name) for arms in in_layers if "one" in arms]
    table = np.array([[both.count((one, far)) for far in "ab"] for one in "ab"])
    assert stats.chi2_contingency(table).pvalue > 0.001
    assert found.assign(UNITS[0], NOW) == assigned[0]


def test_an_experiment_that_runs_must_not_be_changed(tmp_path: Path) -> None:
    began = {one.name: one.fingerprint for one in read(tmp_path, TWO).by_name.values()}
    unchanged(read(tmp_path, TWO.replace("metrics: [m]", "metrics: [m, n]")), began, NOW)
    with pytest.raises(RuleError, match="one: its arms, weights, layer, buckets or salt were changed while it runs"):
        unchanged(read(tmp_path, TWO.replace("weight: 3", "weight: 4")), began, NOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[5000, 10000]", "[4999, 10000]"), "two: buckets [4999, 10000] of layer l belong to one as well"),
        (("baseline: a, metrics: [m]}\n  - {name: two", "baseline: z, metrics: [m]}\n  - {name: two"), "baseline 'z'"),
        (("[0, 5000]", "[0, 50000]"), "buckets: got [0, 50000]"),
        (("owner: x, layer: l, buckets: [0, 5000]", "ownr: x, layer: l, buckets: [0, 5000]"), "did you mean 'owner'?"),
        (("share: 0.1", "share: 0.9"), "holdout"),
        (("name: two", "name: one"), "'one' is there already"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, TWO.replace(*change))
    assert told in str(caught.value)


def test_a_guardrail_says_which_way_is_better(tmp_path: Path) -> None:
    number = TWO.replace("metrics: [m]}", "metrics: [m], guardrails: {left: 0.1}}", 1)
    with pytest.raises(ConfigError, match=r"guardrails.*got 0\.1, expected \{margin: 0\.1, better: higher\}, or lower"):
        read(tmp_path, number)
    told = number.replace("{left: 0.1}", "{left: {margin: 0.1, better: lower}}")
    guardrail = read(tmp_path, told).by_name["one"].guardrails["left"]
    assert [guardrail.judge(interval) for interval in ((-9, 0.1), (0, 0.2), (0.11, 0.2))] == [
        "no_harm",
        "unclear",
        "harm",
    ]
    more = guardrail.model_copy(update={"better": "higher"})
    assert [more.judge(interval) for interval in ((-0.1, 9), (-0.2, 0), (-0.2, -0.11))] == [
        "no_harm",
        "unclear",
        "harm",
    ]


METRICS = """
metrics:
  - {name: orders, table: silver.orders, aggregate: count}
  - {name: revenue, table: silver.orders, aggregate: sum, column: revenue}
  - {name: order_value, numerator: revenue, denominator: orders}
  - {name: large_order, table: silver.orders, aggregate: quantile, column: revenue, quantile: 0.9}
  - {name: worth, table: gold.scores, aggregate: sum, column: clv}
"""


def test_covariates_are_what_can_be_from_before_of_what_is_asked(tmp_path: Path) -> None:
    asked = TWO.replace("metrics: [m]", "metrics: [order_value, large_order, worth, m]", 1)
    found = read(tmp_path, METRICS + asked)
    assert found.covariates_of(found.by_name["one"]) == ("revenue", "orders")
    assert found.covariates_of(found.by_name["two"]) == ()
    none = read(tmp_path, METRICS + asked.replace("baseline: a", "baseline: a, covariates: []", 1))
    assert none.covariates_of(none.by_name["one"]) == ()


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("{name: x, table: silver.orders}", "aggregate: got none, expected count, any, sum or quantile"),
        ("{name: x, table: silver.orders, aggregate: sum}", "column: got None, expected one for sum and quantile"),
        (
            "{name: x, table: silver.orders, aggregate: quantile, column: revenue}",
            "quantile: expected a share such as 0.9",
        ),
        ("{name: x, numerator: orders}", "expected either table and aggregate, or numerator and denominator"),
        ("{name: x, numerator: orders, denominator: large_order}", "x: got large_order, which no single person has"),
        ("{name: x, numerator: revenue, denominator: orders, winsorise: 0.9}", "a quotient has only numerator and"),
    ],
)
def test_a_metric_that_is_made_of_nothing_is_told(tmp_path: Path, metric: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{METRICS}  - {metric}\n{TWO}")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "covariates: [worth]",
            "one: covariates: got worth, expected a declared count, sum or any over a table of silver",
        ),
        ("covariates: [clicked]", "one: covariates: got clicked, expected a declared"),
        ("primary: [n]", "primary: got ['n'], expected some of metrics: ['m']"),
        ("trigger: seen", "trigger: Input should be 'shown' or 'decided'"),
    ],
)
def test_what_an_experiment_asks_in_vain_is_told(tmp_path: Path, change: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, METRICS + TWO.replace("metrics: [m]", f"metrics: [m], {change}", 1))
    assert told in str(caught.value)


def test_an_arm_that_shows_nothing_counts_from_the_decision(tmp_path: Path) -> None:
    quiet = TWO.replace("{name: b, weight: 3}", "{name: b, weight: 3, offers: none}")
    found = read(tmp_path, quiet).by_name
    assert (found["one"].counts_from, found["two"].counts_from) == ("decided", "shown")
    with pytest.raises(ConfigError, match="an arm without offers is never shown one"):
        read(tmp_path, quiet.replace("baseline: a", "baseline: a, trigger: shown", 1))


def test_the_holdout_is_read_out_as_an_experiment_of_its_shares(tmp_path: Path) -> None:
    found = read(tmp_path, TWO)
    holdout = found.read_out["holdout"]
    sides = [found.holdout_arm(unit) for unit in UNITS]
    assert [(arm.name, arm.weight) for arm in holdout.arms] == [("served", 0.9), ("held_out", 0.1)]
    assert sides.count("held_out") == sum(found.held_out(unit) is not None for unit in UNITS)
    assert (holdout.baseline, holdout.counts_from) == ("held_out", "decided")
    nobody = read(tmp_path, TWO.replace("share: 0.1", "share: 0"))
    assert ("holdout" in nobody.read_out, nobody.holdout_arm(UNITS[0])) == (False, None)
    with pytest.raises(ConfigError, match="holdout: is what the holdout is read out as"):
        read(tmp_path, TWO.replace("name: far", "name: holdout"))
