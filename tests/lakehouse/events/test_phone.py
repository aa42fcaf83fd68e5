"""Phone numbers of many countries: one form, national to the country of the address or to the default region."""

import re
from random import Random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType, example_number_for_type
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
    ("030 901820", "Germany", "US"): "+4930901820",
    ("030 901820", "Deutschland", "US"): "+4930901820",
    ("030 901820", "DEU", "US"): "+4930901820",
    ("415 555 2671", "USA", "DE"): "+14155552671",
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


LONG = {  # what people write and no telephone dials -> its one form
    ("+49 (0)170 2345670", "DE"): "+491702345670", ("+49 0170 2345670", "DE"): "+491702345670",
    ("0049 0170 2345670", "DE"): "+491702345670", ("49 170 2345670", "DE"): "+491702345670",
    ("+52 1 55 2345 6701", "MX"): "+525523456701", ("+54 9 11 2345 6701", "AR"): "+541123456701",
    ("001 415 555 2671", "US"): "+14155552671", ("011 1 415 555 2671", "US"): "+14155552671",
    ("tel:+1-415-555-2671", "US"): "+14155552671", ("+14155552671;ext=9", "US"): "+14155552671",
    ("(415) 555-2671 ext. 9", "US"): "+14155552671",
    ("491702345670.0", "DE"): "+491702345670", ("+491702345670.0", "DE"): "+491702345670",
    ("0170 2345670 (mobil)", "DE"): "+491702345670", ("(415) 555-2671 (cell)", "US"): "+14155552671", ("1-800-FLOWERS", "US"): "+18003569377",
    ("044 55 2345 6701", "MX"): "+525523456701", ("045 55 2345 6701", "Mexico"): "+525523456701",
    ("\uff10\uff19\uff10\uff0d\uff11\uff12\uff13\uff14\uff0d\uff15\uff16\uff17\uff19", "JP"): "+819012345679",
    ("\u0660\u0661\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0669", "EG"): "+201001234569",
}  # fmt: skip


@pytest.mark.parametrize(("sent", "country"), LONG)
def test_a_number_is_one_however_it_is_written(sent: str, country: str) -> None:
    assert phone.normalise(sent, US, country) == LONG[sent, country]


def spelled(rng: Random, number: phonenumbers.PhoneNumber, region: str) -> tuple[str, str]:
    """One way to write a number, and the region it is written in."""
    shape = rng.choice(
        [PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.RFC3966]
    )
    text = phonenumbers.format_number(number, shape)
    home = region if shape == PhoneNumberFormat.NATIONAL else rng.choice(["US", "DE", region])
    text = text.translate(str.maketrans("- ", rng.choice(["- ", ". ", "  ", "--", "//"])))
    extension = "" if shape == PhoneNumberFormat.RFC3966 else rng.choice(["", " ", " x12", " ext. 7"])
    return rng.choice(["", " "]) + text + extension, home


def test_spellings_are_read_as_libphonenumber_reads_them() -> None:
    """100,000 spellings of example numbers of every region; ours, listed in phone.py, differ in marks of mobiles only."""
    rng = Random(7)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    kinds = [PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE]
    examples = [
        (region, number) for region in regions for kind in kinds if (number := example_number_for_type(region, kind))
    ]
    wrong = []
    for _ in range(100_000 // len(examples) + 1):
        for region, number in examples:
            text, home = spelled(rng, number, region)
            expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            expected = re.sub(r"^\+549(?=[0-9]{10}$)", "+54", re.sub(r"^\+521(?=[0-9]{10}$)", "+52", expected))
            if phone.normalise(text, US, home) != expected:
                wrong.append((text, home, expected, phone.normalise(text, US, home)))
    assert wrong == []


def test_spark_gives_a_number_the_same_form(spark: SparkSession) -> None:
    values = [*(sent for sent, *_ in FORMS), *(sent for sent, _ in LONG), None]
    frame = spark.createDataFrame([(value,) for value in values], "value string")
    for row in frame.select("value", phone.normalised(F.col("value"), US).alias("form")).collect():
        assert row["form"] == (None if row["value"] is None else phone.normalise(row["value"], US))


def test_an_unknown_default_region_is_named() -> None:
    with pytest.raises(ConfigError, match=r"default_region: got 'ZZ', expected an ISO 3166 region"):
        phone.region("ZZ")
