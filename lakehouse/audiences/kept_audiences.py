"""gold.audiences brought up to what conf/audiences.yaml declares.

Streaming looks at those it touches. So what another definition says of everybody else is found out once, when streaming starts: in one pass over gold as it
stands. Which definitions the members are of is noted in the lake.
"""

import json
import logging
from datetime import datetime

import pyarrow as pa

from lakehouse.features.definition import Features
from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles import gold_writes
from lakehouse.profiles.derivation import GoldRows
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import Audiences, gold_audiences
from lakehouse.profiles.gold.features import gold_features

FOLDER, APPLIED = "_audiences", "applied"  # in the lake: versions of the definitions, by name
log = logging.getLogger("stitchlake.audiences")


def keep(lake: Lake, audiences: Audiences, features: Features, now: datetime) -> Audiences:
    """The same audiences, once gold.audiences holds their members. Whoever is in one of before that is not declared any more leaves it."""
    if _noted(lake) != _text(audiences):
        lake.create(GOLD_ACTIVATION)
        lake.create(gold_audiences(audiences))
        if not lake.is_bare(GOLD_ACTIVATION) and (audiences or not lake.is_bare(gold_audiences(audiences))):
            log.warning("gold.audiences: another definition, everybody is looked at")
            _look_at_everybody(lake, audiences, features, now)
        note_kept(lake, audiences)
    return audiences


def note_kept(lake: Lake, audiences: Audiences) -> None:
    """gold.audiences holds the members of these, of everybody."""
    stamp.restamp(f"{lake.root}/{FOLDER}", APPLIED, _text(audiences), lake.spark)


def _look_at_everybody(lake: Lake, audiences: Audiences, features: Features, now: datetime) -> None:
    table = gold_audiences(audiences)
    stored = {source.parameter: lake.read(source) for source in (GOLD_ACTIVATION, gold_features(features))}
    rows = table.rows(stored, {})
    named = [lake.read(source).select("profile_id") for source in (GOLD_ACTIVATION, table)]
    everybody = named[0].union(named[1]).distinct()
    when = lake.frame(pa.table({"now": pa.array([now], pa.timestamp("us", "UTC"))}))
    gold_writes.write(lake, table, GoldRows(profiles=everybody, now=when, silver={}, tables={table: rows}))


def _noted(lake: Lake) -> str | None:
    return stamp.read(f"{lake.root}/{FOLDER}", APPLIED, lake.spark)


def _text(audiences: Audiences) -> str:
    return json.dumps(audiences.versions, sort_keys=True)
