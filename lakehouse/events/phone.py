"""Phone numbers in one form, `+<country code><number>`, as libphonenumber reads them.

A number without country code is national to a region: the country of the address sent with it (countries.py), else
events.default_region. Not that of the browser's language: en-US is what a browser says when nobody has chosen, so it
would turn a shop's own customers' numbers into American ones. An extension is cut off. A number of a length that no number of its
country has is no phone number.

Four readings are ours, for what people write and no telephone dials:

- `00` leads abroad everywhere, also where another prefix does: `001 415 555 2671` in the USA.
- A country code without `+`, where a trunk prefix would have to stand: `49 170 2345670` in Germany.
- 044 and 045 before a mobile at home in Mexico, until 2019.
- Mexico's mobile 1 and Argentina's mobile 9 are dropped: with and without it is one line (IFT, 2019; ENACOM).
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
import pyarrow as pa
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat, ValidationResult
from pyspark.sql import Column

from lakehouse.errors import ConfigError
from lakehouse.events import countries, ids
from lakehouse.spark.arrow_function import arrow_function

_MOBILE_MARKS = {52: "1", 54: "9"}  # country code -> what some write before the ten digits of a mobile
_SHORTEST = 7  # digits with the country code; libphonenumber knows shorter ones, which are no subscriber's
_LONGEST = 250  # characters: what libphonenumber reads at most
_REMARK = re.compile(r"\([^()0-9]*[^\W\d_][^()0-9]*\)")  # `(mobile)`: its letters are not to be dialled
_NOT_DIGITS = re.compile(r"[^0-9]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MEXICAN_MOBILE = re.compile(r"04[45]([0-9]{10})")


def region(name: str) -> str:
    """An ISO 3166 region libphonenumber knows.

    Raises:
        ConfigError: it knows none of that name.
    """
    known = countries.region_of(name)
    if known is None:
        raise ConfigError(
            f"[events] default_region: got {name!r}, expected an ISO 3166 region with telephones, such as US. Mend the value"
        )
    return known


def normalise(value: str, default: str, country: str | None = None) -> str | None:
    """One number as `+<digits>`; None when it is no phone number.

    `default`: of `region`. `country`: what a number without country code is national to, by any name or code; what is not
    known, and None, means `default`.
    """
    sent = _REMARK.sub("", ids.normalise(in_our_digits(value.strip())))
    return _normalise(sent, (country and countries.region_of(country)) or default)


def is_e164(value: str) -> bool:
    """Whether a number is in the one form already. Source: ITU-T E.164: fifteen digits at most, of which the first is no zero."""
    return _E164.fullmatch(value) is not None


def in_our_digits(value: str) -> str:
    """Digits of other scripts, such as Arabic or full-width ones, as 0 to 9."""
    if value.isascii():
        return value
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in value)


def normalised(value: Column, default: str) -> Column:
    """The same as a column. Runs in Python, so not in the lane."""

    def numbers(values: pa.Array) -> pa.Array:
        return pa.array(
            [None if sent is None else normalise(sent, default) for sent in values.to_pylist()], pa.string()
        )

    return arrow_function(numbers, "string")(value)


@lru_cache(maxsize=100_000)
def _normalise(value: str, home: str) -> str | None:
    dialled = _NOT_DIGITS.sub("", value)
    readings = []
    if dialled.startswith("00"):
        readings.append(_parsed("+" + re.sub(r"^\D*0\D*0", "", value), home))
    if home == "MX" and (mobile := _MEXICAN_MOBILE.fullmatch(dialled)):
        readings.append(_parsed(mobile[1], home))
    readings.append(_parsed(value, home))
    if not value.startswith("+") and _lacks_only_its_plus(dialled, home):
        readings.insert(0, _parsed("+" + dialled, home))
    number = next((read for read in readings if read is not None and _is_whole(read)), None)
    if number is None:
        return None
    number.extension = None
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return written if len(written) > _SHORTEST else None


def _is_whole(number: PhoneNumber) -> bool:
    """Of a length that numbers of its country have, area code included."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _parsed(value: str, home: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(value[:_LONGEST], home)
    except NumberParseException:
        return None
    digits = str(number.national_number)
    if len(digits) == 11 and digits[0] == _MOBILE_MARKS.get(number.country_code or 0):
        number.national_number = int(digits[1:])
    return number


def _lacks_only_its_plus(dialled: str, home: str) -> bool:
    """Whether digits begin with the region's own country code where a trunk prefix would stand at home, and make a number so."""
    metadata = PhoneMetadata.metadata_for_region(home)
    code = str(phonenumbers.country_code_for_region(home))
    if metadata is None or not metadata.national_prefix or not dialled.startswith(code):
        return False
    number = None if dialled.startswith(metadata.national_prefix) else _parsed("+" + dialled, home)
    return number is not None and phonenumbers.is_valid_number(number)
