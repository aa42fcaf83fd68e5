"""Ids in their one form: what is around them goes, what tells them apart stays; Python and Spark alike in one Spark run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.events import ids

FORMS = {
    "u-1": "u-1", " u-1\n": "u-1", "\tu-1": "u-1", "\u00a0u-1\u00a0": "u-1", "u-\u200b1": "u-1", "\ufeffu-1": "u-1", '"u-1"': "u-1",
    "%22u-1%22": "u-1", "'u-1'": "u-1", "\u201cu-1\u201d": "u-1", '\\"u-1\\"': 'u-1', "12345.0": "12345", "12345.00": "12345",
    "12345.5": "12345.5", "1.2.0": "1.2.0", "v2.0": "v2.0", "": "", '""': "", " ": "", "%22%22": "", "u 1": "u 1", "ü": "ü", "100%": "100%",
    "0.0": "0", "\x00": "", "a\x00b": "ab", "O'Brien": "O'Brien", "u-1%2": "u-1%2",
    "%20u-1%0A": "u-1", "&quot;u-1&nbsp;": "u-1", "u-1\u2800": "u-1", "-5.0": "-5", "+491702345670.0": "+491702345670", "a-5.0": "a-5.0",
}  # fmt: skip
PIECES = [*"u1-.0 \t\n\"'`%\\\u00a0\u200b\ufeff\u201c😀ü", "%22", "%27", ".0"]


@pytest.mark.parametrize("sent", FORMS)
def test_an_id_has_one_form(sent: str) -> None:
    assert ids.normalise(sent) == FORMS[sent]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_the_one_form_of_a_form_is_itself_where_nothing_is_around_it(sent: str) -> None:
    once = ids.normalise(sent)
    assert ids.normalise(f"\u00a0{once}\u200b") == ids.normalise(once)


def test_spark_gives_an_id_the_same_form(spark: SparkSession) -> None:
    values = list(FORMS)
    values += [
        f"{before}{value}{behind}"
        for before in ('"', "\u00a0", "%22", "\\")
        for value in ("u-1", "7.0", "")
        for behind in ('"', " ", "%27")
    ]
    frame = spark.createDataFrame([(value,) for value in values], "value string").select(
        "value", ids.normalised(F.col("value"))
    )
    assert dict(frame.collect()) == {value: ids.normalise(value) for value in values}
