"""Whether the arms were alike before anything was tried: their sizes, in all and per segment, and what their people had done.

Where they were not, assignment or logging is broken, or a covariate is from after the exposure; no difference is worth reading.
Source of the threshold: Fabijan et al., Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from lakehouse.experiments.fixed import fixed
from lakehouse.experiments.multiplicity import holm
from lakehouse.experiments.sample_ratio import BLOCKS, sample_ratio_p
from lakehouse.experiments.sample_statistics import moments

SEGMENT = "segment"


def by_segment(units: pd.DataFrame, shares: Mapping[str, float]) -> dict[str, float]:
    """Segment -> probability of arms as uneven as these in it, after Holm over the segments. `units`: arm, SEGMENT; null is one, too."""
    named = units.assign(**{SEGMENT: units[SEGMENT].fillna("none").astype(str)})
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (segment, arm), rows in named.groupby([SEGMENT, "arm"]):
        counts[str(segment)][str(arm)] = len(rows)
    p_values = holm([sample_ratio_p(of_arm, shares) for of_arm in counts.values()])
    return dict(zip(counts, p_values, strict=True))


def uneven(units: pd.DataFrame, covariates: Sequence[str], baseline: str) -> dict[str, float]:
    """Covariate -> p, of those in which an arm differs from the baseline: below BLOCKS after Holm over arms and covariates."""
    arms = [arm for arm in sorted(units["arm"].unique()) if arm != baseline]
    of_arm = {arm: units[units["arm"] == arm] for arm in (*arms, baseline)}
    tested = [(covariate, arm) for covariate in covariates for arm in arms]
    found = [
        fixed(
            *(moments(of_arm[each][covariate].dropna().to_numpy(dtype="float64")) for each in (arm, baseline)),
            alpha=0.05,
        )
        for covariate, arm in tested
    ]
    p_values = holm([one.p for one in found])
    return {covariate: p for (covariate, _), p in zip(tested, p_values, strict=True) if p < BLOCKS}
