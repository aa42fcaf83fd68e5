"""Arms that were not alike before are found; arms that were are not accused."""

import numpy as np
import pandas as pd

from lakehouse.experiments.balance import by_segment, uneven
from lakehouse.experiments.readout import read_out
from lakehouse.experiments.sample_ratio import BLOCKS

EVEN = {"a": 1.0, "b": 1.0}


def units(seed: int, people: int = 6000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "arm": rng.permutation(["a", "b"] * (people // 2)),
            "segment": rng.choice(["new", "loyal", None], people),
            "before": rng.gamma(1, 10, people),
            "value": rng.gamma(1, 10, people),
        }
    )


def test_a_segment_that_one_arm_lost_is_named_although_the_whole_is_even() -> None:
    even = units(1)
    assert min(by_segment(even, EVEN).values()) > 0.01
    lost = even[~((even["segment"] == "loyal") & (even["arm"] == "a") & (even.index % 3 == 0))]
    refilled = pd.concat([lost, even[(even["segment"] == "new") & (even["arm"] == "a")].head(len(even) - len(lost))])
    found = read_out(refilled, ["value"], baseline="a", shares=EVEN)
    assert found.srm_p > BLOCKS
    assert {name for name, p in found.segments.items() if p < BLOCKS} == {"loyal", "new"}
    assert any(reason.startswith("segment loyal: sample ratio p ") for reason in found.blocked_because)


def test_a_covariate_from_after_the_exposure_blocks_what_would_be_an_effect_of_nothing() -> None:
    """The arm moves the covariate and not the value, which goes with it: taken off, it leaves a difference that is none."""
    after = units(2)
    after["value"] += 2 * after["before"]
    after.loc[after["arm"] == "b", "before"] += 5
    found = read_out(after, ["value"], baseline="a", covariates={"value": ["before"]})
    assert found.comparisons[0].p_fixed < 1e-30
    assert found.is_blocked
    assert found.blocked_because[0].startswith("covariate before: arms differ in it")
    assert not read_out(after, ["value"], baseline="a").is_blocked


def test_covariates_from_before_block_hardly_ever() -> None:
    accused = sum(bool(uneven(units(seed, 1000), ["before", "value"], "a")) for seed in range(150))
    assert accused <= 1
