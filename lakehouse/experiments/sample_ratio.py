"""Whether units fell to the arms in the shares they should have: the check that comes before every read-out.

Pearson's chi-square over the arms. A p below BLOCKS means that assignment or logging is broken, and no answer is given.
Source: Fabijan et al., Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019.
"""

from collections.abc import Mapping

BLOCKS = 0.001
WARNS = 0.01


def sample_ratio_p(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Probability of counts as uneven as these, if the shares hold.

    `shares`: of every declared arm, in any unit. An arm that nobody is in counts as 0, and is uneven for it. Units in an arm that
    was not declared cannot be: 0. Nothing is uneven among fewer than two arms, or where there is no unit: 1.

    Raises:
        ValueError: a share that is not above 0.
    """
    from scipy import stats  # as in fixed.py

    if any(share <= 0 for share in shares.values()):
        raise ValueError(f"shares: got {dict(shares)}, expected each above 0")
    total, whole = sum(counts.values()), sum(shares.values())
    if any(count > 0 and arm not in shares for arm, count in counts.items()):
        return 0.0
    if len(shares) < 2 or total == 0:
        return 1.0
    expected = [total * share / whole for share in shares.values()]
    return float(stats.chisquare([counts.get(arm, 0) for arm in shares], expected).pvalue)
