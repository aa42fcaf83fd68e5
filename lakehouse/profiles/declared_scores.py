"""The scores there are: each a column of gold.scores, of gold.activation, of the online profile and of the rules' vocabulary."""

from dataclasses import dataclass
from typing import Literal

from lakehouse.errors import ContractError
from lakehouse.tables.contract import Column, optional

Reader = Literal["probability", "policy", "lifetime_value"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a model says of every profile.

    column: its name in every table. type: of the column. model: its name in the registry. trained_by: the job that trains it. read_as: what
    its parameters are, by the name that lakehouse/models/registry.py has for the class that reads them. Both None = no job trains it
    yet, and the column is null. speaks_of: of whom alone it says something; None = of everybody.
    """

    column: str
    meaning: str
    model: str
    type: str = "double"
    trained_by: str | None = None
    read_as: Reader | None = None
    speaks_of: str | None = None

    def __post_init__(self) -> None:
        if (self.trained_by is None) != (self.read_as is None):
            raise ContractError(
                f"score {self.column}: trained_by {self.trained_by} and read_as {self.read_as}, expected both or none of them. "
                "Say by what the parameters are read"
            )

    @property
    def version_column(self) -> str:
        return f"{self.column}_model_version"

    @property
    def reasons_column(self) -> str | None:
        """Column of gold.scores that says why; None where nothing does."""
        return f"{self.column}_reasons" if self.read_as == "probability" else None

    @property
    def columns(self) -> tuple[Column, Column]:
        """The score and the version that gave it."""
        absent = "null = no model yet" if self.trained_by else "null until a model is trained"
        absent += f", or not of somebody {self.speaks_of}" if self.speaks_of else ""
        return (
            optional(self.column, self.type, f"{self.meaning}; {absent}", term="score"),
            optional(self.version_column, "string", f"version that gave {self.column}", is_online=True),
        )


PURCHASE_PROPENSITY = Score(
    column="purchase_propensity",
    meaning="probability of an order within scores.horizon_days of as_of, 0 to 1",
    model="scores",
    trained_by="ml/train_scores.py",
    read_as="probability",
)
CHURN_RISK = Score(
    column="churn_risk",
    meaning="probability of no order within scores.churn_horizon_days of as_of, 0 to 1, of a profile that has ordered",
    model="churn_risk",
    trained_by="ml/train_scores.py",
    read_as="probability",
)
CLV = Score(
    column="clv",
    meaning="value of the orders expected within lifetime_value.horizon_days of as_of, discounted to as_of, before refunds, default_currency, to the cent",
    model="clv",
    trained_by="ml/train_lifetime_value.py",
    read_as="lifetime_value",
    speaks_of="who has ordered",
)
TARGETED_OFFER = Score(
    column="targeted_offer",
    meaning="offer that the targeting policy gives the profile",
    model="uplift_decisions",
    type="string",
    trained_by="ml/train_uplift.py",
    read_as="policy",
)

SCORES = (PURCHASE_PROPENSITY, CHURN_RISK, CLV, TARGETED_OFFER)
