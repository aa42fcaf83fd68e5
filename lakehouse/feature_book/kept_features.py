"""The features that a lake keeps: gold.features brought up to what conf/features.yaml declares, and which sums hold all of history.

A sum of a filter that is new knows nothing of the events before it. Which sums are whole is noted in the lake, and of a new one from where on in the topic it
is summed: what lies before is its history, which lakehouse/queries/feature_history.py fills beside the stream, and a rebuild in one go. Until then the feature is
what it was declared as before, where it was; else null: no figure is better than one of half of history.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex

from pyspark.sql import functions as F

from lakehouse.errors import ConfigError
from lakehouse.features.definition import Feature, Features
from lakehouse.lake import stamp
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.features import check_stored, gold_features
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.tables.events import SILVER_EVENTS

FOLDER = "_features"  # in the lake
_NOTE, _OLD_NOTE, _WHOLE_FILE = "sums", "whole", "features.yaml"
log = logging.getLogger("stitchlake.features")


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Where the stream began to add to a sum. at: the first of each partition that it added. id: of nothing that began at another time."""

    id: str
    at: Ends


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the lake notes of partial sums, by name.

    whole: those that hold all of history. begins: of the others, where the stream began to add to them. stored: all that may be in
    silver.feature_days; None = nobody noted it.
    """

    whole: frozenset[str] = frozenset()
    begins: Mapping[str, Begin] = dataclasses.field(default_factory=dict)
    stored: frozenset[str] | None = frozenset()


def keep(
    lake: Lake,
    features: Features,
    *,
    reached: Callable[[], Ends] | None = None,
    earlier: Callable[[str], Features] | None = None,
) -> Features:
    """The features as the stream keeps them from now on: a changed one as it was declared before, until it is filled. The stored table gets the columns it lacks.

    Only the lake's writer may call it, and no micro-batch is under way.

    Args:
        lake: the lake.
        features: those that are declared.
        reached: how far in the topic silver.feature_days reaches; None = nobody adds to it before a rebuild has replaced it.
        earlier: reads a text of conf/features.yaml; None = what was declared before is forgotten.

    Raises:
        ContractError: a feature is stored with another type.
    """
    table = gold_features(features)
    lake.create(table)
    check_stored(table, dict(lake.spark.read.format("delta").load(lake.path(table)).dtypes))
    noted = sums_of(lake)
    before = None if earlier is None else stamp.read(f"{lake.root}/{FOLDER}", _WHOLE_FILE, lake.spark)
    known = None if before is None or earlier is None else _read(before, earlier)
    declared = {partial.name for partial in features.partials}
    lake.create(SILVER_EVENTS)
    if not lake.read(SILVER_EVENTS).head(1):
        _note(lake, Sums(whole=frozenset(declared), stored=frozenset(declared)))
        return _kept(lake, features)
    as_before = features if known is None else _as_before(features, known, noted)
    summed = {partial.name for partial in as_before.partials}
    whole, begins = noted.whole & summed, {name: begin for name, begin in noted.begins.items() if name in declared}
    new = summed - whole - begins.keys()
    if new and reached is not None:
        _forget(lake, new if noted.stored is None else new & noted.stored)
        begins |= dict.fromkeys(sorted(new), Begin(id=token_hex(8), at=reached()))
    stored = None if noted.stored is None else noted.stored | summed
    _note(lake, Sums(whole=frozenset(whole), begins=begins, stored=stored))
    return _kept(lake, as_before)


def marked(lake: Lake, features: Features) -> Features:
    """The same features, with those marked that are to be filled: they are null. Nothing is written."""
    whole = sums_of(lake).whole
    return replace(features, unfilled=frozenset({partial.name for partial in features.partials} - whole))


def note_filled(lake: Lake, features: Features) -> None:
    """A rebuild has made the sums of all of them, and of no others."""
    declared = frozenset(partial.name for partial in features.partials)
    _note(lake, Sums(whole=declared, stored=declared))
    _kept(lake, features)


def note_history(lake: Lake, names: frozenset[str]) -> None:
    """The history of these partial sums is in."""
    noted = sums_of(lake)
    begins = {name: begin for name, begin in noted.begins.items() if name not in names}
    _note(lake, replace(noted, whole=noted.whole | names, begins=begins))


def sums_of(lake: Lake) -> Sums:
    """What is noted."""
    folder = f"{lake.root}/{FOLDER}"
    text = stamp.read(folder, _NOTE, lake.spark)
    if text:
        told = json.loads(text)
        stored = None if told["stored"] is None else frozenset(told["stored"])
        begins = {name: Begin(**begin) for name, begin in told["begins"].items()}
        return Sums(whole=frozenset(told["whole"]), begins=begins, stored=stored)
    old = stamp.read(folder, _OLD_NOTE, lake.spark)  # of a release that did not note where a sum begins
    return Sums() if old is None else Sums(whole=frozenset(json.loads(old)), stored=None)


def _as_before(features: Features, before: Features, noted: Sums) -> Features:
    """Each feature that is to be filled as it was declared before, if all of history is in that; with the sums of both."""
    unfilled = frozenset({partial.name for partial in features.partials} - noted.whole)
    now = replace(features, unfilled=unfilled)
    chosen: dict[str, Feature] = {}

    def choose(feature: Feature) -> Feature:
        if now.is_filled(feature) or (old := before.by_name.get(feature.name)) is None or old.type != feature.type:
            return feature
        parts = old.parts or ()
        is_whole = old.partial in noted.whole if old.parts is None else {*parts} <= features.by_name.keys()
        return replace(old, is_online=feature.is_online and old.is_online) if is_whole else feature

    for feature in features.features:
        chosen[feature.name] = choose(feature)
    used = {feature.partial for feature in chosen.values()} - {partial.name for partial in features.partials}
    partials = (*features.partials, *(partial for partial in before.partials if partial.name in used))
    reads = tuple(sorted({*features.reads, *(before.reads if used else ())}))
    return replace(now, partials=partials, features=tuple(chosen.values()), reads=reads)


def _read(text: str, earlier: Callable[[str], Features]) -> Features | None:
    """What was declared before; None where that cannot be read any more, because a property is gone, say."""
    try:
        return earlier(text)
    except ConfigError as error:
        log.warning("what was declared before cannot be kept until the new is filled: %s", error)
        return None


def _kept(lake: Lake, features: Features) -> Features:
    """As `marked`. Where nothing is to be filled, the text of the file is what all sums are whole by."""
    kept, folder = marked(lake, features), f"{lake.root}/{FOLDER}"
    if kept.unfilled:
        log.warning(
            "features.yaml: sums without their history, %d: run ./spark-submit.sh batch/fill_features.py",
            len(kept.unfilled),
        )
    elif features.text and stamp.read(folder, _WHOLE_FILE, lake.spark) != features.text:
        stamp.restamp(folder, _WHOLE_FILE, features.text, lake.spark)
    return kept


def _forget(lake: Lake, names: frozenset[str] | set[str]) -> None:
    """Take sums out of silver.feature_days that were kept once, and not since: nobody knows what they lack."""
    table = SILVER_FEATURE_DAYS
    lake.create(table)
    rows = lake.read(table)
    if not names or not rows.where(F.exists("partials", lambda one: one["name"].isin(*names))).head(1):
        return
    lake.overwrite(rows.withColumn("partials", F.filter("partials", lambda one: ~one["name"].isin(*names))), table)


def _note(lake: Lake, sums: Sums) -> None:
    stored = None if sums.stored is None else sorted(sums.stored)
    begins = {name: dataclasses.asdict(begin) for name, begin in sums.begins.items()}
    told = json.dumps({"whole": sorted(sums.whole), "begins": begins, "stored": stored})
    stamp.restamp(f"{lake.root}/{FOLDER}", _NOTE, told, lake.spark)
