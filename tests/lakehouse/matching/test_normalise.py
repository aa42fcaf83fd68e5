import pyarrow as pa
import pytest
from anyascii import anyascii
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehouse.matching.fields import KINDS
from lakehouse.matching.normalise import INSTANT, LONGEST, normalised, with_instant
from lakehouse.matching.scripts import in_latin
from tests.lakehouse.matching.match_models import spark_examples

NAMES = [
    ("Zoë", "zoe"),
    ("  ANN ", "ann"),
    ("Mc Donald", "mcdonald"),
    ("O'Brien", "obrien"),
    ("O\u2019Brien", "obrien"),
    ("Anne-Marie", "annemarie"),
    ("Nguyễn", "nguyen"),
    ("Jose\u0301", "jose"),  # the accent written apart
    ("İbrahim", "ibrahim"),
    ("I\u015f\u0131k", "isik"),  # without a dot
    ("Łukasz Żółć", "lukaszzolc"),
    ("Straße", "strasse"),
    ("Ærø", "aero"),
    ("Þór", "thor"),
    ("\uff2a\uff4f\uff48\uff4e", "john"),  # full width
    ("Παπαδόπουλος", "papadopoylos"),
    ("ΠΑΠΑΔΟΠΟΥΛΟΣ", "papadopoylos"),
    ("Алёна", "alena"),
    ("Ющенко", "yushchenko"),
    ("Гоголь", "gogol"),  # the soft sign is no letter
    ("Իվան Պետրոս", "ivanpetros"),
    ("გიორგი", "giorgi"),
    ("אַבְרָהָם", "avrhm"),
    ("علی", "aly"),
    ("Иван Smith 李", "ivansmith李".encode().hex()),
    ("李 小龍", "李小龍".encode().hex()),
    ("مُحَمَّد", "mhmd"),
    ("राम", "राम".encode().hex()),
    ("रीमा", "रीमा".encode().hex()),
    ("", None),
    ("   ", None),
    ("\t\n", None),
    ("--", None),
    (None, None),
]
DATES = [
    ("1985-01-05", "19850105"),
    ("1985-1-5", "19850105"),
    ("1985/01/05", "19850105"),
    ("19850105", "19850105"),
    ("1985-01-05T10:20:30Z", "19850105"),
    ("1985-01-05 00:00:00", "19850105"),
    ("1985-01-04T23:00:00Z", "19850105"),  # midnight in Berlin
    ("1985-01-04T22:00:00.000+00:00", "19850105"),
    ("1984-12-31 18:30", "19850101"),  # midnight in Delhi
    ("1985-01-05T05:00:00Z", "19850105"),  # midnight in New York
    ("1985-01-05T12:00:00Z", "19850105"),
    ("1985-01-05T23:10:00Z", "19850105"),  # midnight nowhere
    ("1985-13-45T23:00:00Z", "19851345"),
    ("25.1.1985", "19850125"),
    ("1/25/1985", "19850125"),
    ("25/01/1985", "19850125"),
    ("1985-13-45", "19851345"),  # impossible, and kept
    ("99/99/1985", "19859999"),
    ("85", "85"),
    ("5 Jan 1985", "5jan1985"),
    ("5 Mar 1985", "5mar1985"),
    ("//", None),
    (" ", None),
]
EMAILS = [
    (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
    ("ann @ example.com", "ann@example.com"),
    ("not an address", "notanaddress"),
    ("@", "@"),
    ("zoë@example.com", "zoë@example.com".encode().hex()),
    (" ", None),
]
PHONES = [
    ("(206) 555-0123", "+12065550123"),
    ("+44 20 7946 0958", "+442079460958"),
    ("0044 20 7946 0958", "+442079460958"),
    ("555-0123", "5550123"),  # no phone number, compared all the same
    ("none", None),
]
CODES = [("2119 NSW", "2119nsw"), ("ab-12/3", "ab123"), ("0", "0")]
GIVEN = [
    ("John Smith", "john"),
    ("Smith, John", "john"),
    ("Smith, John Paul", "john"),
    ("Dr. Ann Lee", "ann"),
    ("Prof Dr", None),
    ("John Smith, Jr.", "john"),
    ("Thomas Clifford, 1st Baron Clifford", "thomas"),
    ("Clifford, 1st Baron", "clifford"),
    ("Anne-Marie O'Brien", "annemarie"),
    ("राम शर्मा", "राम".encode().hex()),
    ("Madonna", "madonna"),
    (",", None),
    ("", None),
]
FAMILY = [
    ("John Smith", "smith"),
    ("Smith, John", "smith"),
    ("Smith, John Paul", "smith"),
    ("John Smith Jr", "smith"),
    ("John Smith, PhD", "smith"),
    ("Thomas Clifford, 1st Baron Clifford", "clifford"),
    ("Anne-Marie O'Brien", "obrien"),
    ("Maria Nguyễn", "nguyen"),
    ("Madonna", None),
    ("Smith,", None),
]
CASES = {
    ("name", "", "US"): NAMES,
    ("date", "", "GB"): [*DATES, ("05/01/1985", "19850105")],
    ("date", "", "US"): [*DATES, ("05/01/1985", "19850501")],
    ("email", "", "US"): EMAILS,
    ("phone", "", "US"): PHONES,
    ("phone", "", "GB"): [("020 7946 0958", "+442079460958"), ("12", "12")],
    ("code", "", "US"): CODES,
    ("category", "", "US"): [("F", "f"), ("New South Wales", "newsouthwales")],
    ("address", "", "US"): [("12 Main St.", "12mainst"), ("Rue de l'Église", "ruedeleglise")],
    ("full_name", "given_name", "US"): GIVEN,
    ("full_name", "family_name", "US"): FAMILY,
}


def _normalised(spark, kind, part, region, values):
    rows = pa.table({"n": range(len(values)), "raw": pa.array(values, pa.string())})
    value = normalised(F.col("raw"), kind, region=region, part=part).alias("value")
    return spark.createDataFrame(rows).select("n", value).orderBy("n").toPandas()["value"].tolist()


def _told(values):
    return [value if isinstance(value, str) else None for value in values]


@pytest.mark.parametrize(("kind", "part", "region"), CASES)
def test_values_come_to_one_form(spark, kind, part, region):
    raw, expected = zip(*CASES[kind, part, region], strict=True)
    found = _told(_normalised(spark, kind, part, region, list(raw)))
    assert dict(zip(raw, found, strict=True)) == dict(zip(raw, expected, strict=True))


def test_every_letter_of_these_alphabets_is_read_as_anyascii_reads_it(spark):
    """Hebrew and Arabic aside, where a sign that is only breathed is `a`."""
    letters = [chr(code) for code in (*range(0x3B1, 0x3CA), *range(0x430, 0x530), *range(0x561, 0x588))]
    letters += [chr(code) for code in range(0x10D0, 0x10FB)]
    words = spark.createDataFrame(pa.table({"letter": letters, "word": [f"x{letter}{letter}" for letter in letters]}))
    read = dict(words.select("letter", in_latin(F.col("word"))).toPandas().itertuples(index=False, name=None))
    alone = {letter: "".join(filter(str.isalpha, anyascii(letter))).lower() for letter in letters if letter.isalpha()}
    assert read == {letter: f"x{alone.get(letter, letter) * 2}" for letter in letters}


INSTANTS = [
    ("1985-01-05", "19850105"),
    ("1985-01-05T00:00:00Z", "19850105"),
    ("1985-01-05 00:00", "19850105"),
    ("1985-01-04T23:00:00Z", f"19850105{INSTANT}"),
    ("1985-01-05T10:20:30.5+02:00", f"19850105{INSTANT}"),
    (" 1985-01-05 06:00 ", f"19850105{INSTANT}"),
    ("5 Jan 1985 06:00", "5jan19850600"),
    ("85", "85"),
    (None, None),
]


def test_a_day_read_off_a_time_of_day_is_marked(spark):
    rows = pa.table({"n": range(len(INSTANTS)), "raw": pa.array([raw for raw, _ in INSTANTS], pa.string())})
    marked = with_instant(normalised(F.col("raw"), "date", region="US"), F.col("raw")).alias("value")
    found = spark.createDataFrame(rows).select("n", marked).orderBy("n").toPandas()["value"].tolist()
    assert _told(found) == [value for _, value in INSTANTS]


def test_long_values_are_cut_before_anything_is_done_with_them(spark):
    values = ["x" * 10_000, "李" * 10_000, " " * 10_000, "1 " * 5_000, "a," * 5_000, "-" * 10_000]
    for kind, part in [("name", ""), ("date", ""), ("email", ""), ("phone", ""), ("full_name", "family_name")]:
        found = _told(_normalised(spark, kind, part, "US", values))
        assert max((len(value) for value in found if value is not None), default=0) <= LONGEST
        assert found == _told(_normalised(spark, kind, part, "US", [value.strip()[:LONGEST] for value in values]))


@spark_examples(4)
@given(values=st.lists(st.text(max_size=40), min_size=100, max_size=300))
def test_what_comes_out_is_ascii_never_empty_and_comes_to_itself(spark, values):
    values = [value.replace("\x00", "") for value in values]
    rows = pa.table({"raw": pa.array(values, pa.string())})
    columns = [normalised(F.col("raw"), kind, region="US").alias(kind) for kind in KINDS]
    once = spark.createDataFrame(rows).select(*columns).toPandas()
    for kind in KINDS:
        found = [value for value in _told(once[kind]) if value is not None]
        assert all(value.isascii() and 0 < len(value) <= LONGEST for value in found), kind
    found = [value for value in _told(once["name"]) if value is not None]
    assert _told(_normalised(spark, "name", "", "US", found)) == found
