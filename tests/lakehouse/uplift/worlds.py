"""Worlds whose truth is known: people, what every arm would give them, and a log of chances."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lakehouse.uplift.experiment_log import ExperimentLog

FEATURES = 10
KINDS = ("linear", "step", "interaction", "product", "mixed")


@dataclass(frozen=True, kw_only=True)
class World:
    """`means`: rows x arms: what each arm gives each row on average. `chances`: with which the log chooses them."""

    features: pd.DataFrame
    means: np.ndarray
    chances: np.ndarray

    def best_blanket(self) -> int:
        return int(self.means.mean(axis=0).argmax())

    def value(self, arm: np.ndarray) -> float:
        """Of giving every row its arm."""
        return float(self.means[np.arange(len(self.means)), arm].mean())

    def oracle_gain(self) -> float:
        """Of giving everybody the best arm, over the best blanket action."""
        return float(self.means.max(axis=1).mean() - self.means.mean(axis=0).max())

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """An arm for every row, by its chances."""
        return (rng.random((len(self.chances), 1)) > self.chances.cumsum(axis=1)[:, :-1]).sum(axis=1)

    def log(self, rng: np.random.Generator, reward: np.ndarray, arm: np.ndarray) -> ExperimentLog:
        rows = np.arange(len(arm))
        return ExperimentLog(
            unit=rng.integers(0, 2**62, len(arm)).astype(str),  # other people in every world: other parts
            arm=np.array([f"arm {place}" for place in range(self.means.shape[1])])[arm],
            reward=reward,
            propensity=self.chances[rows, arm],
            features=self.features,
            left_out={},
        )

    def noisy_log(self, rng: np.random.Generator, noise: float = 1.0) -> ExperimentLog:
        arm = self.drawn(rng)
        reward = self.means[np.arange(len(arm)), arm] + noise * rng.normal(size=len(arm))
        return self.log(rng, reward, arm)


def effect(kind: str, x: np.ndarray) -> np.ndarray:
    """About as wide in every kind."""
    first, second = x[:, 0], x[:, 1]
    if kind == "linear":
        return 0.5 * first + 0.25 * second
    if kind == "step":
        return np.where(first > 0.5, 0.75, -0.25)
    if kind == "interaction":
        return np.where((first > 0) & (second > 0), 0.75, -0.25)
    if kind == "product":
        return 0.5 * first * second
    return 0.25 * first + np.where(second > 0.3, 0.5, -0.25)


def world(kind: str, rows: int, rng: np.random.Generator) -> World:
    """Three arms. Who gets which hangs on the features that move the reward: confounded, with chances of 0.1 and more that are logged."""
    x = rng.normal(size=(rows, FEATURES))
    main = np.sin(x[:, 2]) + 0.3 * x[:, 4] ** 2
    means = np.column_stack([main, main + effect(kind, x), main + effect(kind, x[:, [2, 3]]) - 0.1])
    pull = np.exp(np.column_stack([np.zeros(rows), 0.8 * x[:, 0], -0.8 * x[:, 4]]))
    return World(
        features=pd.DataFrame(x, columns=[f"x{place}" for place in range(FEATURES)]),
        means=means,
        chances=0.1 + 0.7 * pull / pull.sum(axis=1, keepdims=True),
    )


def even_world(rows: int, rng: np.random.Generator, *, effects: tuple[float, ...] = (0.0, 0.0, 0.0)) -> World:
    """What an arm gives is the same for everybody: no policy is better than the best blanket action."""
    x = rng.normal(size=(rows, 4))
    chances = np.array([0.5, 0.3, 0.2][: len(effects)])
    return World(
        features=pd.DataFrame(x, columns=list("abcd")).assign(e=rng.choice(["north", "south", "west"], rows)),
        means=x[:, :1] + np.array(effects),
        chances=np.tile(chances / chances.sum(), (rows, 1)),
    )


HILLSTROM_ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")


def hillstrom(rows: int, rng: np.random.Generator) -> tuple[World, dict[str, np.ndarray]]:
    """Customers as in Hillstrom's MineThatData challenge: the same columns, arms in thirds, rates of visit, conversion and spend near his.

    The world is of visits; a mail does most for those who bought what it shows. Beside it what each arm gives on average of
    conversion and spend: rows x arms.
    """
    mens = rng.random(rows) < 0.55
    womens = np.where(mens, rng.random(rows) < 0.19, True)
    history = np.exp(rng.normal(5.0, 0.95, rows)).clip(30, 3500)
    recency = rng.integers(1, 13, rows)
    newbie = rng.random(rows) < 0.5
    channel = rng.choice(["Web", "Phone", "Multichannel"], rows, p=[0.44, 0.44, 0.12])
    base = 0.106 * np.exp(0.03 * (6 - recency) + 0.15 * (np.log(history) - 5) - 0.35 * newbie + 0.12)
    lift = np.column_stack([np.zeros(rows), 0.07 + 0.03 * mens, 0.015 + 0.07 * womens])
    visit = (base[:, None] + lift * (0.7 + 0.6 * base[:, None] / base.mean())).clip(0, 0.95)
    conversion = visit * np.array([0.054, 0.069, 0.058])
    spend = conversion * (60 + 0.22 * history[:, None])
    features = pd.DataFrame(
        {
            "recency": recency.astype(float),
            "history": history.round(2),
            "mens": mens.astype(float),
            "womens": womens.astype(float),
            "zip_code": rng.choice(["Surburban", "Urban", "Rural"], rows, p=[0.45, 0.4, 0.15]),
            "newbie": newbie.astype(float),
            "channel": channel,
        }
    )
    thirds = np.full((rows, 3), 1 / 3)
    return World(features=features, means=visit, chances=thirds), {"conversion": conversion, "spend": spend}
