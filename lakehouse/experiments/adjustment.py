"""CUPED: what people did before the experiment, taken off what they did in it, so that less of the difference is noise.

Sources: Deng, Xu, Kohavi and Walker, Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data,
WSDM 2013, section 3; on the influence of each person in place of the value, as Deng, Knoblich and Lu (KDD 2018) for quotients.

A covariate must be from before the exposure. One that the arm could have moved takes a part of the effect off, or makes one
where there is none. So arms that differ in a covariate are not compared: see `uneven` in lakehouse/experiments/balance.py.
"""

from collections.abc import Mapping

import numpy as np

from lakehouse.experiments.estimates import Estimate, Floats

LEAST_PEOPLE = 50
"""People in all for each covariate: with fewer, fitting it costs more than it saves."""


def adjusted(estimates: Mapping[str, Estimate], covariates: Mapping[str, Floats]) -> Mapping[str, Estimate]:
    """Estimates by arm, less what their people's covariates explain. `covariates`: by arm, a row per person; nan counts as the mean.

    The slope is one for all arms, from the differences within arms. Nothing changes where no covariate varies, an arm's
    influence is not known, or people are too few.
    """
    arms = [arm for arm, estimate in estimates.items() if len(estimate.influence)]
    if not arms or any(np.isnan(estimates[arm].influence).any() for arm in arms):
        return estimates
    whole = np.concatenate([covariates[arm] for arm in arms])
    known = ~np.isnan(whole)
    centre = np.where(known, whole, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = {arm: np.where(np.isnan(covariates[arm]), 0.0, covariates[arm] - centre) for arm in arms}
    within = np.concatenate([centred[arm] - centred[arm].mean(axis=0) for arm in arms])
    spread = within.std(axis=0)
    varies = spread > 0
    if not varies.any() or len(within) < LEAST_PEOPLE * int(varies.sum()):
        return estimates
    scaled, influence = within[:, varies] / spread[varies], np.concatenate([estimates[arm].influence for arm in arms])
    slope = np.zeros(len(spread))
    slope[varies] = np.linalg.lstsq(scaled, influence, rcond=None)[0] / spread[varies]
    return {
        arm: _less(estimate, centred[arm] @ slope) if arm in centred else estimate
        for arm, estimate in estimates.items()
    }


def _less(estimate: Estimate, explained: Floats) -> Estimate:
    mean = float(explained.mean())
    return Estimate(value=estimate.value - mean, influence=estimate.influence - (explained - mean))
