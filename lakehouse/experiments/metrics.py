"""Metrics declared in conf/experiments.yaml, and what is asked of them: what is taken of which table, and what must not get worse.

A metric is made of declared names only, never of a text that becomes SQL. Whether table and columns exist is asked where
they are read: lakehouse/experiments/metric_sources.py. A name that is not declared is a posted outcome, summed.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lakehouse.config.declarations import Declared, Name, Valid

BEFORE = "before:"
"""Prefix of the column that has a metric of the time before the exposure."""


class Metric(Declared):
    """Either of a table (`table`, `aggregate`, `column`, `where`) or the quotient of two others (`numerator`, `denominator`).

    aggregate: of a person's rows. count: how many; any: 1 where there is one, else 0; sum: of `column`, null counts as 0;
    quantile: of all rows of the arm, at the share `quantile`.
    where: column -> the value it must have.
    winsorise: a person's value beyond this share of all people's values other than 0 counts as the value at that share.
    """

    name: Name
    table: str | None = None
    aggregate: Literal["count", "any", "sum", "quantile"] | None = None
    column: str | None = None
    where: Mapping[str, str | bool | int] = {}
    quantile: float | None = Field(default=None, gt=0, lt=1)
    numerator: Name | None = None
    denominator: Name | None = None
    winsorise: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.numerator is None) != (self.denominator is None) or self.is_ratio == (self.table is not None):
            raise ValueError("expected either table and aggregate, or numerator and denominator")
        if self.is_ratio and (self.aggregate or self.column or self.where or self.winsorise):
            raise ValueError("a quotient has only numerator and denominator; declare the rest at those two metrics")
        if self.table is not None and self.aggregate is None:
            raise ValueError("aggregate: got none, expected count, any, sum or quantile")
        if (self.aggregate in ("sum", "quantile")) != (self.column is not None):
            raise ValueError(
                f"column: got {self.column}, expected one for sum and quantile, and none for count and any"
            )
        if (self.aggregate == "quantile") != (self.quantile is not None) or (self.quantile and self.winsorise):
            raise ValueError("quantile: expected a share such as 0.9 with aggregate quantile alone, without winsorise")
        return self

    @property
    def is_ratio(self) -> bool:
        return self.numerator is not None

    @property
    def is_per_person(self) -> bool:
        """A person alone has a value of it."""
        return not self.is_ratio and self.aggregate != "quantile"

    @property
    def has_time(self) -> bool:
        """Each row says when: silver tells what happened, gold how it is by now."""
        return self.table is not None and self.table.startswith("silver.")

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns it is computed from, by name."""
        return (self.numerator, self.denominator) if self.numerator and self.denominator else (self.name,)


class Guardrail(Declared):
    """What an arm must not make worse: by at most `margin`, in the metric's unit. `better`: which way is; nobody can guess it."""

    margin: float = Field(ge=0)
    better: Literal["higher", "lower"]

    @model_validator(mode="before")
    @classmethod
    def _is_whole(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping | Guardrail):
            raise ValueError(f"got {sent}, expected {{margin: {sent}, better: higher}}, or lower where less is better")
        return sent

    def judge(self, interval: tuple[float, float]) -> Literal["harm", "no_harm", "unclear"]:
        """What an interval of arm less baseline says: all of it is worse than the margin allows, none of it, or neither.

        >>> [Guardrail(margin=0.1, better="lower").judge(interval) for interval in ((0.2, 0.3), (-9, 0.1), (0, 0.2))]
        ['harm', 'no_harm', 'unclear']
        """
        low, high = interval
        least, most = (-high, -low) if self.better == "higher" else (low, high)  # how much worse it is
        return "harm" if least > self.margin else "no_harm" if most <= self.margin else "unclear"


class Judged(Valid):
    """What is asked of a read-out.

    metrics: declared ones, or posted outcomes. primary: those that decide; the first unless said.
    window_days: after a person's first exposure. before_days: before it; covariates are taken from there only.
    covariates: declared metrics; None = those of `metrics` and guardrails that can be.
    """

    metrics: tuple[str, ...] = Field(min_length=1)
    primary: tuple[str, ...] = ()
    guardrails: Mapping[str, Guardrail] = {}
    window_days: int = Field(default=14, ge=1, le=365)
    before_days: int = Field(default=28, ge=1, le=365)
    covariates: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _knows_what_decides(self) -> Self:
        strangers = sorted({*self.primary} - {*self.metrics})
        if strangers:
            raise ValueError(f"primary: got {strangers}, expected some of metrics: {list(self.metrics)}")
        return self

    @property
    def asked(self) -> list[str]:
        """Every metric, once."""
        return list(dict.fromkeys([*self.metrics, *self.guardrails]))

    @property
    def deciding(self) -> tuple[str, ...]:
        return self.primary or self.metrics[:1]
