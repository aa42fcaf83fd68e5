"""The features that a lake keeps: gold.features brought up to what conf/features.yaml declares, and which sums hold all of history.

A sum of a filter that is new knows nothing of the events before it. Features of such sums are null until a rebuild has made them: no figure is
better than one of half of history. Which sums are whole is noted in the lake; of a filter that is declared no more it is forgotten, for nobody sums it.
"""

import dataclasses
import json
import logging

from lakehouse.features.definition import Features
from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.features import check_stored, gold_features
from lakehouse.tables.events import SILVER_EVENTS

FOLDER, WHOLE = "_features", "whole"  # in the lake: names of the partial sums that hold all of history
log = logging.getLogger("stitchlake.features")


def keep(lake: Lake, features: Features) -> Features:
    """The same features, with those marked that are to be filled; the stored table gets the columns it lacks.

    Raises:
        ContractError: a feature is stored with another type.
    """
    table, declared = gold_features(features), {partial.name for partial in features.partials}
    lake.create(table)
    check_stored(table, dict(lake.spark.read.format("delta").load(lake.path(table)).dtypes))
    noted = _whole(lake)
    whole = noted & declared
    if whole != declared:
        lake.create(SILVER_EVENTS)
        whole = whole if lake.read(SILVER_EVENTS).head(1) else declared
    if whole != noted:
        _note(lake, whole)
    kept = marked(lake, features)
    if unfilled := [one.name for one in kept.features if one.partial in kept.unfilled]:
        log.warning("gold.features: %s: null until batch/rebuild.py has run", ", ".join(unfilled))
    return kept


def marked(lake: Lake, features: Features) -> Features:
    """The same features, with those marked that are to be filled; nothing is written."""
    declared = {partial.name for partial in features.partials}
    return dataclasses.replace(features, unfilled=frozenset(declared - _whole(lake)))


def note_filled(lake: Lake, features: Features) -> None:
    """A rebuild has made the sums of all of them."""
    _note(lake, {partial.name for partial in features.partials})


def _whole(lake: Lake) -> set[str]:
    return set(json.loads(stamp.read(f"{lake.root}/{FOLDER}", WHOLE, lake.spark) or "[]"))


def _note(lake: Lake, whole: set[str]) -> None:
    stamp.restamp(f"{lake.root}/{FOLDER}", WHOLE, json.dumps(sorted(whole)), lake.spark)
