"""What every decision of this moment is made from, read from wherever a process keeps it."""

from lakehouse.config import Config
from lakehouse.decisions.circumstances import DecisionInputs
from lakehouse.decisions.offers import Catalogue
from lakehouse.experiments.definitions import Experiments
from lakehouse.rules.book import RuleBook
from serving.deciding.stock import Stock
from serving.reloading import Reloading


def read_inputs(
    config: Config,
    *,
    rules: Reloading[RuleBook],
    catalogue: Reloading[Catalogue],
    experiments: Reloading[Experiments],
    stock: Stock,
) -> DecisionInputs:
    """As the files are now. Serving and background both read by this, so that neither leaves one out."""
    return DecisionInputs(
        catalogue=catalogue.current,
        book=rules.current,
        experiments=experiments.current,
        unavailable=stock.unavailable,
        consent_assumed=config.consent.assumed,
    )
