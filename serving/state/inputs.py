"""What every decision of this moment is made from, read from wherever a process keeps it."""

from lakehouse.config import Config
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import DecisionInputs
from lakehouse.decisions.offers import Catalogue
from lakehouse.experiments.definitions import Experiments
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.rules.book import RuleBook
from serving.state.reloadable import Reloadable
from serving.state.stock import Stock


def read_inputs(
    config: Config,
    *,
    rules: Reloadable[RuleBook],
    catalogue: Reloadable[Catalogue],
    features: Reloadable[Features],
    experiments: Reloadable[Experiments],
    stock: Stock,
) -> DecisionInputs:
    """As the files are now. Serving and background both read by this, so that neither leaves one out."""
    return DecisionInputs(
        catalogue=catalogue.current,
        book=rules.current,
        experiments=experiments.current,
        unavailable=stock.unavailable,
        consent=Defaults.of(config.consent),
        features=features.current or NO_FEATURES,
    )
