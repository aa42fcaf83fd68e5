"""splink's estimate of a matcher: u from random pairs, m by expectation maximisation within blocks.

Linacre, R. et al. (2022), Splink: Free software for probabilistic record linkage at scale.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse.matching.fields import Field
from lakehouse.matching.levels import distance, levels

log = logging.getLogger("stitchlake.matching")

_RANDOM_PAIRS = 1_000_000
_BLOCKS = 3  # fields EM blocks on, in turns: every field is free in two of them
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Start:
    """m and u per field and level, strongest level first; all above 0."""

    m: list[Floats]
    u: list[Floats]


def start(records: pd.DataFrame, fields: Sequence[Field], *, seed: int) -> Start:
    """Records (v0, v1, ...) -> a first estimate. Where splink sees no pair of a level, a cautious guess stands."""
    values = records[[f"v{index}" for index in range(len(fields))]].assign(id=np.arange(len(records)))
    return _read(_estimated(values, fields, list(_blocking_fields(values, len(fields))), seed), fields)


def _estimated(values: pd.DataFrame, fields: Sequence[Field], blocks: Sequence[int], seed: int) -> dict[str, Any]:
    """Splink's own JSON of a model, by EM within blocks of one value of each of the fields `blocks`."""
    # Imported here: only training needs it, and it takes a second.
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    from splink.internals.exceptions import EMTrainingException

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=[_comparison(fields, index) for index in range(len(fields))],
        blocking_rules_to_generate_predictions=[],
        probability_two_random_records_match=1 / len(values),
    )
    linker = Linker(DuckDBAPI().register(values), settings)
    logging.getLogger("splink").setLevel(logging.CRITICAL)  # pages of it, and creating the linker turns it on
    linker.training.estimate_u_using_random_sampling(max_pairs=_RANDOM_PAIRS, seed=seed)
    for index in blocks:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(f"v{index}"))
        except (EMTrainingException, ValueError) as error:
            # No pairs, or so clean that a probability underflows. A session that fails leaves the linker without some of
            # its comparisons, so begin again; with no block left the cautious guess stands.
            log.info("splink: block on field %s left out: %s", fields[index].name, error)
            return _estimated(values, fields, [other for other in blocks if other != index], seed)
    saved: dict[str, Any] = linker.misc.save_model_to_json()
    return saved


def _comparison(fields: Sequence[Field], index: int) -> Any:
    from splink.comparison_level_library import CustomLevel, ElseLevel, NullLevel
    from splink.comparison_library import CustomComparison

    apart = f"({distance(index)})"
    told = [CustomLevel(condition, label_for_charts=label) for label, condition in levels(fields, index, apart)]
    return CustomComparison(
        output_column_name=f"v{index}", comparison_levels=[NullLevel(f"v{index}"), *told, ElseLevel()]
    )


def _blocking_fields(values: pd.DataFrame, count: int) -> Iterator[int]:
    """The fields that pair the fewest records, but enough: among these matches are many."""
    pairs = {}
    for index in range(count):
        sizes = values[f"v{index}"].value_counts().to_numpy(dtype=np.float64)
        pairs[index] = float((sizes * (sizes - 1) / 2).sum())
    most, least = 50 * len(values), min(50.0, len(values) / 20)
    usable = [index for index in pairs if least <= pairs[index] <= most]
    yield from sorted(usable, key=lambda index: pairs[index])[:_BLOCKS]


def _read(saved: dict[str, Any], fields: Sequence[Field]) -> Start:
    m, u = [], []
    for index, comparison in enumerate(saved["comparisons"]):
        told = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        assert len(told) == len(levels(fields, index)) + 1
        m.append(_known(told, "m_probability", cautious(len(told)), least=1e-4))
        u.append(_known(told, "u_probability", np.zeros(len(told)), least=0.5 / _RANDOM_PAIRS))
    return Start(m=m, u=u)


def cautious(count: int) -> Floats:
    """M of `count` levels for somebody who has seen no match yet: most values agree, some nearly, few not at all."""
    return np.array([0.7, *[0.25 / max(count - 2, 1)] * (count - 2), 0.05])


def _known(told: Sequence[dict[str, Any]], name: str, guess: Floats, *, least: float) -> Floats:
    read = [level.get(name) for level in told]
    values = [value if isinstance(value, float) else float(other) for value, other in zip(read, guess, strict=True)]
    shares = np.maximum(np.array(values), least)
    result: Floats = shares / shares.sum()
    return result
