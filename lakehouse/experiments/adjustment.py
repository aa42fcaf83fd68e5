"""CUPED: what a unit did before the experiment, taken off what it did in it, so that less of the difference is noise.

Source: Deng, Xu, Kohavi and Walker, Improving the Sensitivity of Online Controlled Experiments by Utilizing
Pre-Experiment Data, WSDM 2013, section 3. The mean stays; the variance falls by the squared correlation.
"""

import numpy as np
from numpy.typing import NDArray


def adjusted(values: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of all arms together, less theta times the centred covariate; a missing covariate counts as its mean."""
    known = ~np.isnan(before)
    centred = np.where(known, before - (before[known].mean() if known.any() else 0.0), 0.0)
    spread = float((centred**2).sum())
    if spread == 0:
        return values
    theta = float((centred * (values - values.mean())).sum()) / spread
    return values - theta * centred
