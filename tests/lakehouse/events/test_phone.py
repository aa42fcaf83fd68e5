"""Phone numbers of many countries: one form, national to the country of the address or to the default region."""

import itertools
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import ConfigError
from lakehouse.events import phone

US = phone.region("US")

# (as sent, country of the address, home region) -> its one form. Expected by hand from each country's numbering plan.
FORMS: dict[tuple[str, str | None, str], str | None] = {
    ("(202) 555-0143", None, "US"): "+12025550143",
    ("1-202-555-0143", "CA", "DE"): "+12025550143",
    ("202 555 0143", "US", "GB"): "+12025550143",
    ("030 901820", "DE", "US"): "+4930901820",
    ("030 901820", "de", "US"): "+4930901820",
    ("030 901820", None, "DE"): "+4930901820",
    ("030 901820", None, "US"): None,
    ("030 901820", "XX", "DE"): "+4930901820",
    ("030 901820", "Germany", "DE"): "+4930901820",
    ("030 901820", "", "DE"): "+4930901820",
    ("+49 (0)30 901820", "US", "US"): "+4930901820",
    ("0049 30 901820", "US", "US"): "+4930901820",
    ("020 7946 0018", "GB", "US"): "+442079460018",
    ("020 7946 0018", "UK", "US"): "+442079460018",
    ("01 99 00 12 34", "FR", "US"): "+33199001234",
    ("06 1234 5678", "IT", "US"): "+390612345678",
    ("91 123 45 67", "ES", "US"): "+34911234567",
    ("06 1 234 5678", "HU", "US"): "+3612345678",
    ("03-1234-5678", "JP", "US"): "+81312345678",
    ("098765 43210", "IN", "US"): "+919876543210",
    ("(02) 5550 1234", "AU", "US"): "+61255501234",
    ("(11) 91234-5678", "BR", "US"): "+5511912345678",
    ("12", "DE", "US"): None,
    ("", "DE", "US"): None,
}


@pytest.mark.parametrize(("sent", "country", "home"), FORMS)
def test_a_number_is_national_to_the_country_of_the_address(sent: str, country: str | None, home: str) -> None:
    assert phone.normalise(sent, phone.region(home), country) == FORMS[sent, country, home]


def test_spark_gives_every_number_the_same_form(spark: SparkSession) -> None:
    rng = Random(7)
    countries = [None, "", "XX", "+1", "de", "u", " ", "Italy", *sorted(phone.REGIONS)[::5], "US", "HU", "IT", "UK"]
    starts = ["", "0", "00", "+", "06", "1", "(0)", "8"]
    values = [
        "".join(rng.choices("0123456789 -()+x", weights=[9] * 10 + [3, 3, 1, 1, 1, 1], k=n)) for n in range(6, 20)
    ]
    rows = [(start + value, country) for start, value, country in itertools.product(starts, values, countries)]
    rows += [(sent, country) for sent, country, _ in FORMS]
    value, country = F.col("value"), F.col("country")
    for home in (US, phone.region("HU")):
        read = spark.createDataFrame(rows, "value string, country string").select(
            value,
            country,
            phone.normalised(value, home, country).alias("of_country"),
            phone.normalised(value, home).alias("at_home"),
        )
        for row in read.collect():
            assert row["of_country"] == phone.normalise(row["value"], home, row["country"]), row
            assert row["at_home"] == phone.normalise(row["value"], home), row


def test_an_unknown_default_region_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"default_region: got 'ZZ', expected one of \['AE'"):
        phone.region("ZZ")
