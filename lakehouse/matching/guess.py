"""What kind of thing a column holds, from its name and then from its values: for data nobody has described."""

import re
from collections.abc import Sequence

from lakehouse.matching import fields as kinds

_FEW = 0.02  # distinct values per value below which a column is a category
_MOST = 0.8  # of the values that must look like it

# Searched in order, in a name of lower-case words apart by one underscore.
_NAMES: tuple[tuple[str, str], ...] = (
    (kinds.EMAIL, r"e_?mail"),
    (kinds.PHONE, r"phone|mobile|fax|(^|_)(tel|cell|msisdn)(_|$)"),
    (kinds.DATE, r"(^|_)(dob|bday|date|birthday|birth_?date)(_|$)|date_?of_?birth"),
    (
        kinds.CODE,
        r"post_?code|postal|zip|(^|_)(ssn|soc|sin|nino|id|number|no|num|code|passport|licen[cs]e|account|age|year)(_|$)",
    ),
    (
        kinds.CATEGORY,
        r"(^|_)(sex|gender|state|region|country|nationality|occupation|job|race|ethnicity|marital|status|title)(_|$)",
    ),
    (kinds.FULL_NAME, r"full_?name|whole_?name|^(person_?|customer_?)?name$|first_and_(sur|last)_?name"),
    (kinds.GIVEN_NAME, r"(first|given|fore)_?names?|^(fname|first|given)$"),
    (kinds.FAMILY_NAME, r"(last|sur|family)_?names?|^(lname|surname|last)$"),
    (kinds.ADDRESS, r"addr|street|road|city|town|suburb|village|county|place|locality|district"),
    (kinds.NAME, r"name"),
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|(1[89]|20)\d{2}(0\d|1[0-2])[0-3]\d")
_PHONE = re.compile(r"\+?[\d\s().-]{9,20}")
_CODE = re.compile(r"[\d\s.-]*\d[\d\s.-]*")


def kind_by_name(name: str) -> str | None:
    """One of lakehouse/matching/fields.py KINDS; None when the name says nothing."""
    words = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
    return next((kind for kind, pattern in _NAMES if re.search(pattern, words)), None)


def kind_by_values(values: Sequence[str]) -> str:
    """One of KINDS, from values that are there, as text."""
    for kind, pattern in ((kinds.EMAIL, _EMAIL), (kinds.DATE, _DATE), (kinds.PHONE, _PHONE), (kinds.CODE, _CODE)):
        if values and sum(pattern.fullmatch(value.strip()) is not None for value in values) >= _MOST * len(values):
            return kind
    return kinds.CATEGORY if len(set(values)) <= _FEW * len(values) else kinds.TEXT
