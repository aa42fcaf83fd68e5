"""Where the files an owner edits, and those that serving reads, lie."""

from pathlib import Path

from lakehouse.config import PROJECT, Config
from lakehouse.errors import LakeError
from lakehouse.machine import local_folder

EVENTS = PROJECT / "conf" / "events.yaml"
FEATURES = PROJECT / "conf" / "features.yaml"
RULES = PROJECT / "conf" / "rules.yaml"
OFFERS = PROJECT / "conf" / "offers.yaml"
EXPERIMENTS = PROJECT / "conf" / "experiments.yaml"
MOMENTS = PROJECT / "conf" / "moments.yaml"
DESTINATIONS = PROJECT / "conf" / "destinations.yaml"
EXPORTS = PROJECT / "conf" / "exports.yaml"
SCHEDULE = PROJECT / "conf" / "schedule.yaml"
VIEWS = PROJECT / "conf" / "views"
SOURCES = PROJECT / "conf" / "sources"
TEMPLATES = PROJECT / "conf" / "templates"


def serving_folder(config: Config) -> Path:
    """What trainings export for the decision service, below a lake of this machine.

    Raises:
        LakeError: the lake is elsewhere.
    """
    lake = local_folder(config.lake.root)
    if lake is None:
        raise LakeError(
            f"lake.root: got '{config.lake.root}', expected a local folder for the decision service. Copy <lake>/_serving to one"
        )
    return lake / "_serving"
