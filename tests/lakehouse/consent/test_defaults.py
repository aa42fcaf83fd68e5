"""What holds where nobody was asked: by code, by its country, elsewhere; of several places all must allow it."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.consent.defaults import Defaults

BY = {"US": ("analytics", "marketing"), "US-CA": ("analytics",), "DE": ()}
# jurisdictions -> analytics, marketing, where elsewhere nothing, and everything, is allowed
HOLDS: list[tuple[list[str] | None, tuple[bool, bool], tuple[bool, bool]]] = [
    (None, (False, False), (True, True)),
    ([], (False, False), (True, True)),
    (["US"], (True, True), (True, True)),
    (["US-NY"], (True, True), (True, True)),
    (["US-CA"], (True, False), (True, False)),
    (["US", "US-CA"], (True, False), (True, False)),
    (["DE-BE"], (False, False), (False, False)),
    (["DE", "US"], (False, False), (False, False)),
    (["FR"], (False, False), (True, True)),
    (["FR", "US"], (False, False), (True, True)),
]


@pytest.mark.parametrize("never_asked", [False, True])
def test_where_they_are_decides(never_asked: bool, spark: SparkSession) -> None:
    defaults = Defaults(never_asked=never_asked, by_jurisdiction=BY)
    expected = [open_ if never_asked else closed for _, closed, open_ in HOLDS]
    for (places, _, _), holds in zip(HOLDS, expected, strict=True):
        assert tuple(defaults.allows(purpose, places or ()) for purpose in ("analytics", "marketing")) == holds
    if never_asked:  # the column needs a job of Spark's: once is enough
        rows = spark.createDataFrame(
            [(number, places) for number, (places, _, _) in enumerate(HOLDS)], "n int, j array<string>"
        )
        told = rows.select(
            "n", *(defaults.column(purpose, F.col("j")) for purpose in ("analytics", "marketing"))
        ).collect()
        assert [tuple(row[1:]) for row in sorted(told)] == expected


def test_as_configured() -> None:
    declared = {"STITCHLAKE__CONSENT__NEVER_ASKED": "denied"}
    defaults = Defaults.of(load("dev", environ=declared).consent)
    assert (defaults.never_asked, defaults.by_jurisdiction) == (False, {})
    assert defaults.purposes == ("analytics", "personalization", "marketing")
