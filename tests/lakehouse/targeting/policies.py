"""A policy over the features of profiles, with all that a policy is made of: a line, pairs and trees."""

import numpy as np
import pandas as pd

from lakehouse.features.point_in_time import FEATURES
from lakehouse.targeting.policy import TargetingPolicy
from lakehouse.uplift.contenders import CONTENDERS, fit
from lakehouse.uplift.learned_encoding import encoding_of

ARMS = ("bundle", "gift", "trial")


def over_features() -> TargetingPolicy:
    """Who views much and who orders much get other arms than the rest."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.integers(0, 7, (500, len(FEATURES))).astype(float), columns=list(FEATURES))
    planted = frame[["views_90d", "orders_90d"]].to_numpy() - 3.0
    encoding = encoding_of(frame)
    learned = fit(encoding.people(frame), planted + rng.normal(size=(500, 2)))
    model = learned.blend(np.full(CONTENDERS, 1 / CONTENDERS))
    return TargetingPolicy(arms=ARMS, cost=(0.0, 0.5, 0.2), reward="converted", encoding=encoding, model=model)
