"""The champion of purchase_propensity, corrected by groups, as a version of its own: what fairness.corrects applies.

The version is the champion's parameters and its shifts (lakehouse/fairness/correction.py), learned of the people of ops.fairness: of the newest day whose horizon is over. It becomes champion at
once, with its price in its metrics, its card and the audit log; `model rollback` takes it back. A version that is trained later has no shifts until they are learned again.
"""

from dataclasses import dataclass, replace

from lakehouse.config import Config
from lakehouse.errors import ConfigError, ModelError
from lakehouse.fairness.correction import learn_shifts
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake
from lakehouse.models import aliases
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import PARAMETERS, champion_file
from lakehouse.models.score_model import ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.training.fairness_audit import Price, group_of, learned_from, price_of, scores
from lakehouse.training.score_version import JUDGED


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """What was published. of: the version that it corrects."""

    version: str
    of: str
    by: str
    price: Price

    def line(self) -> str:
        """For a person, and the audit log."""
        price = self.price
        return (
            f"version {self.of} corrected by {self.by}: groups chosen {price.difference_after:.4f} apart, before {price.difference_before:.4f}; "
            f"right choices {price.accuracy_after:.4f}, before {price.accuracy_before:.4f}"
        )


def correct(lake: Lake) -> Corrected:
    """Publish the champion with shifts by fairness.corrects.

    Raises:
        ConfigError: fairness.corrects is empty, or no column of gold.contacts.
        ModelError: there is no champion, or too little is known to learn from.
    """
    config, name = lake.config, PURCHASE_PROPENSITY.model
    by = config.fairness.corrects
    if not by:
        raise ConfigError(
            "[fairness] corrects: empty, expected a column such as gold.contacts.country. Mend conf/base.toml"
        )
    groups = group_of(lake, by)
    told = next(scores(lake), None)
    stored = champion_file(config, name, PARAMETERS)
    priced = None if told is None else price_of(told, groups, config)
    if stored is None or told is None or priced is None:
        raise ModelError(
            f"fairness: nothing to correct by {by}, got {'no champion' if told is None else 'fewer than two groups to compare'}, expected a champion of {name} "
            f"trained by {PURCHASE_PROPENSITY.trained_by}, and two groups of fairness.least_rows people whose outcome is known"
        )
    version, parameters, _ = stored
    shifts = learn_shifts(
        *learned_from(told, groups), config.next_best_action.likely_propensity, config.fairness.least_rows
    )
    model = replace(
        ScoreModel.from_parameters(parameters, version),
        corrects=by,
        shifts=dict(shifts.by_group),
        general_shift=shifts.general,
    )
    made = Corrected(version="", of=version, by=by, price=priced)
    published = publish(
        config,
        Trained(
            name=name,
            parameters=model.to_parameters(),
            inputs=dict.fromkeys(FEATURES, "double"),
            metrics={
                "correction_accuracy_change": priced.accuracy_after - priced.accuracy_before,
                "correction_difference_before": priced.difference_before,
                "correction_difference_after": priced.difference_after,
            },
            settings={"corrects": by, "corrected_version": version},
            snapshot=aliases.version_of(config, name, version).snapshot,
            files=_files(config, made),
            tags={aliases.WHY: made.line()},
        ),
        why=made.line(),
    )
    return replace(made, version=published)


def _files(config: Config, made: Corrected) -> dict[str, bytes]:
    """What the next training judges it by is what it corrects; on its card is what was done to it."""
    held = {file: champion_file(config, PURCHASE_PROPENSITY.model, file) for file in (JUDGED, aliases.CARD)}
    files = {file: one[2] for file, one in held.items() if one is not None}
    said = f"{made.line()}. The score is moved by group, so that one threshold chooses each group alike: it is no probability any more."
    files[aliases.CARD] = files.get(aliases.CARD, b"") + f"\n## Correction\n\n{said}\n".encode()
    return files
