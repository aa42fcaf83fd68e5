"""Customer lifetime value: BG/NBD with Gamma-Gamma (lakehouse/lifetime), the model `clv`.

Reads silver.activity_daily, silver.orders and silver.identity_map, of those who may be learned from (consenting.py). Judged on the newest part of the
history, of which the judged model has seen nothing: it becomes champion only where it is better than every rule that needs no model, and is not shown
to be worse than the champion. What is published is fitted again on all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from lakehouse.config import LifetimeValueConfig
from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.lifetime import lifetime_value
from lakehouse.lifetime.forecast_quality import ForecastFigures, baselines, deviances, figures
from lakehouse.lifetime.histories import Array, Histories
from lakehouse.lifetime.lifetime_value import LifetimeValue
from lakehouse.models.evaluation import Estimate, mean_estimate
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import Champions
from lakehouse.models.value_model import READ, ValueModel, histories
from lakehouse.profiles.declared_scores import CLV
from lakehouse.training.known_profiles import KnownProfiles

LEAST_DAYS = 8  # of history; of fewer, a holdout of a quarter says nothing
OWN, CHAMPION = "BG/NBD", "champion"


@dataclass(frozen=True, kw_only=True)
class ValueSummary:
    """What one training found. judged: by forecast, on the holdout. gain: Poisson deviance of the best rule less the model's; over_champion: of the
    champion less the model's, null where none reigns.
    """

    version: str
    model: LifetimeValue
    profiles: int
    cut_off: date
    holdout_days: int
    actual_orders: int
    judged: Mapping[str, ForecastFigures]
    gain: Estimate
    over_champion: Estimate | None
    may_reign: bool = True

    @property
    def is_champion(self) -> bool:
        return self.may_reign and self.is_good

    @property
    def is_good(self) -> bool:
        """Better than the best rule, and not shown to be worse than the champion."""
        return self.gain.low > 0 and (self.over_champion is None or self.over_champion.high >= 0)

    @property
    def _place(self) -> str:
        if self.is_champion:
            return "is champion"
        if self.is_good:
            return "is challenger, and good enough to reign: it was trained for drift, which makes no champion"
        worse = (
            "it is worse than the champion" if self.gain.low > 0 else "it is not shown to be better than the best rule"
        )
        return f"is registered, and not champion, for {worse}"

    def table(self) -> str:
        """For a person: what was learned from whom, and how good the forecast of the holdout is."""
        orders, value = self.model.orders, self.model.value
        lines = [
            f"lifetime value model {self.version} {self._place}: of {self.profiles:,} profiles with orders, {self.model.horizon_days} days ahead",
            f"orders: r {orders.r:.3f}, alpha {orders.alpha:.2f} days, a {orders.a:.3f}, b {orders.b:.3f}{'' if orders.is_certain else ', at a bound: the data do not settle it'}",
            f"value: p {value.p:.2f}, q {value.q:.2f}, gamma {value.gamma:.2f}, mean {value.mean:.2f}{'' if value.is_certain else ', at a bound: values are all alike'}",
            f"{self.holdout_days} days after {self.cut_off}, {self.actual_orders:,} orders    {'forecast':>10} {'bias':>8} {'capture':>8} {'deviance':>9}",
        ]
        for name, one in self.judged.items():
            bias, capture = ("-" if x is None else f"{x:.3f}" for x in (one.bias, one.capture))
            lines.append(f"  {name:<40} {one.total:>10.1f} {bias:>8} {capture:>8} {one.deviance:>9.4f}")
        lines.append(f"gain in deviance over the best rule {self.gain}, over the champion {self.over_champion or '-'}")
        return "\n".join(lines)


def train(lake: Lake, *, may_reign: bool = True) -> ValueSummary:
    """Train on the lake as it stands and register; champion only as said above, and never where it may not reign.

    Raises:
        ModelError: too short a history, too few customers, or too few who came back.
    """
    settings = lake.config.lifetime_value
    people = KnownProfiles(
        lake, purpose=lake.config.training.lifetime_value, most=settings.max_profiles, job="train_lifetime_value"
    )
    newest = people.last_whole_day
    holdout_days = _holdout_days(people.first_day, newest, settings.horizon_days)
    cut_off = newest - timedelta(days=holdout_days)
    before, after = people.at([cut_off, newest], *READ, where="frequency > 0")
    both = before.join(after, rsuffix="_after", how="inner")
    known = _histories(both)
    actual = (both["frequency_after"] - both["frequency"]).to_numpy(np.float64)
    as_judged = _fit(known, settings)
    judged, gain, over_champion = judge(as_judged, _reigning(lake), known, actual, holdout_days, settings.seed)
    summary = ValueSummary(
        version="",
        model=_fit(_histories(after), settings),
        profiles=len(after),
        cut_off=cut_off,
        holdout_days=holdout_days,
        actual_orders=int(actual.sum()),
        judged=judged,
        gain=gain,
        over_champion=over_champion,
        may_reign=may_reign,
    )
    version = publish(lake.config, _trained(summary, settings, people.versions), is_champion=summary.is_champion)
    return replace(summary, version=version)


def judge(
    own: LifetimeValue, champion: LifetimeValue | None, known: Histories, actual: Array, horizon: float, seed: int
) -> tuple[dict[str, ForecastFigures], Estimate, Estimate | None]:
    """Figures by forecast; the gain of `own` over the best rule, and over the champion, in deviance per customer, paired."""
    forecast = own.orders.expected_orders(known, horizon)
    rules = baselines(known, horizon)
    judged = {OWN: figures(forecast, actual)} | {name: figures(one, actual) for name, one in rules.items()}
    best = min(rules, key=lambda name: judged[name].deviance)
    cost = deviances(forecast, actual)
    gain = mean_estimate(deviances(rules[best], actual) - cost, seed)
    if champion is None:
        return judged, gain, None
    its = champion.orders.expected_orders(known, horizon)
    judged[CHAMPION] = figures(its, actual)
    return judged, gain, mean_estimate(deviances(its, actual) - cost, seed)


def _holdout_days(first: date, newest: date, horizon_days: int) -> int:
    """A quarter of the history, at most the horizon."""
    days = (newest - first).days + 1
    if days < LEAST_DAYS:
        raise ModelError(
            f"train_lifetime_value: too short a history, got {days} whole days, expected {LEAST_DAYS} or more. Run again later"
        )
    return min(horizon_days, days // 4)


def _fit(known: Histories, settings: LifetimeValueConfig) -> LifetimeValue:
    return lifetime_value.fit(known, horizon_days=settings.horizon_days, yearly_discount=settings.yearly_discount)


def _reigning(lake: Lake) -> LifetimeValue | None:
    found = Champions.now(lake.config).scores.get(CLV.column)
    return found.model if isinstance(found, ValueModel) else None


def _histories(rows: pd.DataFrame) -> Histories:
    return histories(*(rows[name].to_numpy(np.float64) for name in READ))


def _trained(summary: ValueSummary, settings: LifetimeValueConfig, versions: Mapping[str, int]) -> Trained:
    metrics = {f"gain_over_rule{end}": x for end, x in (("", summary.gain.value), ("_low", summary.gain.low))}
    for who, of in ((OWN, "bg_nbd"), (CHAMPION, "champion")):
        if who in summary.judged:
            told = {name: getattr(summary.judged[who], name) for name in ("deviance", "bias", "capture")}
            metrics |= {f"holdout_{name}_{of}": value for name, value in told.items() if value is not None}
    return Trained(
        name=CLV.model,
        parameters=summary.model.to_parameters(),
        metrics=metrics,
        settings={
            "seed": settings.seed,
            "horizon_days": settings.horizon_days,
            "yearly_discount": settings.yearly_discount,
            "profiles": summary.profiles,
            "cut_off": str(summary.cut_off),
            "holdout_days": summary.holdout_days,
        },
        inputs=dict.fromkeys(READ, "double"),
        snapshot=versions,
    )
