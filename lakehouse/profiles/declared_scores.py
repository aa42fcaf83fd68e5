"""The scores there are: each a column of gold.scores, of gold.activation, of the online profile and of the rules' vocabulary."""

from dataclasses import dataclass

from lakehouse.tables.contract import Column, optional


@dataclass(frozen=True, kw_only=True)
class Score:
    """A figure that a model gives every profile.

    column: its name in every table. model: its name in the registry. trained_by: the job that trains it; None = no job does
    yet, and the column is null.
    """

    column: str
    meaning: str
    model: str
    trained_by: str | None = None

    @property
    def version_column(self) -> str:
        return f"{self.column}_model_version"

    @property
    def columns(self) -> tuple[Column, Column]:
        """The score and the version that gave it."""
        absent = "null = no model yet" if self.trained_by else "null until a model is trained"
        return (
            optional(self.column, "double", f"{self.meaning}; {absent}", term="score"),
            optional(self.version_column, "string", f"version that gave {self.column}", is_online=True),
        )


PURCHASE_PROPENSITY = Score(
    column="purchase_propensity",
    meaning="probability of an order within scores.horizon_days of as_of, 0 to 1",
    model="scores",
    trained_by="ml/train_scores.py",
)
CHURN_RISK = Score(column="churn_risk", meaning="probability of leaving, 0 to 1", model="churn_risk")
CLV = Score(column="clv", meaning="lifetime value, default_currency", model="clv")

SCORES = (PURCHASE_PROPENSITY, CHURN_RISK, CLV)
