"""A row is scaled as at training, and is where its path says; the column says the same."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pyspark.sql import SparkSession

from lakehouse.models.grouping import LEARNED, MIXTURE
from lakehouse.models.placing import NamedGroup, Scale, placed
from lakehouse.models.prospect_segments import ProspectSegment, ProspectSegments
from lakehouse.models.segment_path import DAY_MICROS, NEVER, QUARTER_MICROS

SINCE = datetime(2026, 1, 1, 0, 7, tzinfo=UTC)
SCALE = Scale(means=(2.0, 1.0, 0.0), deviations=(1.0, 0.5, 0.0))


def prospect(name: str, *centroid: float) -> ProspectSegment:
    return ProspectSegment(name=name, centroid=centroid, profiles=3, days=1.0, views=2.0, carts=0.0)


VISITORS = ProspectSegments(
    means=SCALE.means,
    deviations=SCALE.deviations,
    segments=(prospect("new", -2.0, 0.0, 0.0), prospect("old", 0.0, 0.0, 0.0), prospect("busy", -2.0, 4.0, 0.0)),
)


def test_a_column_is_in_units_of_training_nothing_below_none_and_nothing_where_nothing_varied() -> None:
    assert SCALE.scaled(1, np.array([0.0, -5.0, np.expm1(2.0)])) == pytest.approx([-2.0, -2.0, 2.0])
    assert SCALE.scaled(2, np.array([0.0, 7.0])).tolist() == [0.0, 0.0]


def test_named_groups_survive_json_and_a_release_before_shapes() -> None:
    learned = LEARNED[MIXTURE](np.random.default_rng(1).normal(0, 1, (60, 3)), 2, 7).groups[1]
    told = NamedGroup(name="a", centroid=learned.centre, profiles=2, factor=learned.factor, offset=learned.offset)
    parameters = json.loads(json.dumps(vars(told)))
    assert NamedGroup.from_parameters(parameters) == told
    assert told.group == learned
    plain = NamedGroup.from_parameters({"name": "a", "centroid": [1.0], "profiles": 2})
    assert (plain.factor, plain.offset) == ((), 0.0)
    assert (
        ProspectSegments.from_parameters(
            json.loads(json.dumps({**vars(VISITORS), "segments": [vars(one) for one in VISITORS.segments]}))
        )
        == VISITORS
    )


def test_prospects_are_placed_alike_in_arrays_and_as_a_column(spark: SparkSession) -> None:
    """One look, by and by: from new to old after e - 1 days. Forty looks are busy from the beginning."""
    since = round(SINCE.timestamp() * 1e6)
    changes = int(np.ceil((since + np.expm1(1.0) * DAY_MICROS) / QUARTER_MICROS) * QUARTER_MICROS)
    looks, instants = [1, 1, 40], [SINCE, SINCE + timedelta(days=3), SINCE]
    rows = [(SINCE, views, 0, as_of) for views, as_of in zip(looks, instants, strict=True)]
    schema = "last_seen_at timestamp, view_count bigint, cart_count bigint, as_of timestamp"
    told = spark.createDataFrame(rows, schema).select(VISITORS.place().alias("p")).select("p.*").collect()
    as_of = np.array([round(at.timestamp() * 1e6) for at in instants])
    groups = [one.group for one in VISITORS.segments]
    labels, due = placed(groups, SCALE, np.full(3, since), [np.array(looks, float), np.zeros(3)], as_of)
    assert [row["segment"] for row in told] == [VISITORS.segments[label].name for label in labels]
    assert [row["due"] or NEVER for row in told] == due.tolist()
    assert [tuple(row) for row in told[:2]] == [("new", changes), ("old", None)]
    assert told[2]["segment"] == "busy"
