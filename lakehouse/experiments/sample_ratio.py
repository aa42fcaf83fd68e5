"""Whether units fell to the arms in the shares they should have: the check that comes before every read-out.

Pearson's chi-square over the arms. A p below BLOCKS means that assignment or logging is broken, and no answer is given.
Source: Fabijan et al., Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019.
"""

from collections.abc import Mapping

from scipy import stats

BLOCKS = 0.001
WARNS = 0.01


def sample_ratio_p(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Probability of counts as uneven as these, if the shares hold. `shares`: of every arm, in any unit; 1 for one arm.

    Raises:
        ValueError: an arm without a share above 0.
    """
    arms = sorted(counts)
    if any(shares.get(arm, 0.0) <= 0 for arm in arms):
        raise ValueError(f"shares: got {dict(shares)}, expected one above 0 for each of {', '.join(arms)}")
    total, whole = sum(counts.values()), sum(shares[arm] for arm in arms)
    if len(arms) < 2 or total == 0:
        return 1.0
    expected = [total * shares[arm] / whole for arm in arms]
    return float(stats.chisquare([counts[arm] for arm in arms], expected).pvalue)
