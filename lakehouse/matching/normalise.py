"""Raw values -> comparable ones, by kind. Everything that comes out is ASCII, at most LONGEST characters, never empty.

ASCII, because the functions that compare do not agree on anything else: DuckDB's Levenshtein distance counts bytes,
Spark's counts characters. Accents are dropped and other alphabets read in Latin letters; of a script that writes syllables
or words the hexadecimal of its signs is compared.
"""

import unicodedata
from collections.abc import Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events import phone
from lakehouse.matching import fields as kinds
from lakehouse.matching.fields import FAMILY_NAME, GIVEN_NAME
from lakehouse.matching.scripts import in_latin

LONGEST = 128  # characters; the distance of two values costs the product of their lengths
INSTANT = "t"  # ends a day that was read off a time of day

# Latin, Greek, Cyrillic; Vietnamese and the like; polytonic Greek; full-width forms.
_ALPHABETS = (range(0xC0, 0x530), range(0x1E00, 0x2000), range(0xFF01, 0xFF5F))
_UNDECOMPOSED = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŋ": "n"}
_UNDECOMPOSED |= {"\u0131": "i", "\u03c2": "\u03c3"}  # dotless i; the sigma that ends a word
_POINTING = r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]++"  # written apart: accents, Hebrew and Arabic vowels
_TITLES = ("mr", "mrs", "ms", "miss", "dr", "prof", "sir", "dame", "lord", "lady", "rev", "hon", "st", "mx")
_INSTANT = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]*+)?)?(?![0-9])"
_MIDNIGHT = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ]00:00(?::00(?:[.,]0*+)?)?(?![0-9])"
_EVENING = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[T ](?:1[3-9]|2[0-3]):(?:00|15|30|45)(?::00(?:[.,]0*+)?)?(?![0-9])"
_SUFFIXES = ("jr", "sr", "ii", "iii", "iv", "phd", "md", "esq", "obe", "mbe", "cbe", "bt")


def normalised(value: Column, kind: str, *, region: str, part: str = "") -> Column:
    """One raw value as its kind is compared; null when nothing usable is left.

    Args:
        value: text as sent.
        kind: one of lakehouse/matching/fields.py KINDS.
        region: ISO 3166; how phone numbers and dates without a country are read.
        part: of a whole name, see lakehouse/matching/fields.py.
    """
    short = F.substring(F.trim(value), 1, LONGEST)
    if part:
        usable = _compact(_part_of_name(short, part))
    elif kind == kinds.DATE:
        usable = _date(short, month_first=region == "US")
    elif kind == kinds.PHONE:
        usable = F.coalesce(phone.normalised(short, phone.region(region)), F.regexp_replace(short, r"[^0-9]++", ""))
    elif kind == kinds.EMAIL:
        usable = _ascii(F.regexp_replace(F.lower(short), r"\s++", ""))
    else:
        usable = _compact(_words(short))
    return F.nullif(F.substring(usable, 1, LONGEST), F.lit(""))


def with_instant(day: Column, value: Column) -> Column:
    """A day as `normalised` gives it, with INSTANT behind it where the raw value has a time of day other than midnight.

    Such a time was moved from one zone to another, by nobody knows how much: the day beside it is no disagreement.
    """
    is_instant = F.trim(value).rlike(_INSTANT) & ~F.trim(value).rlike(_MIDNIGHT)
    return F.concat(day, F.when(is_instant, F.lit(INSTANT)).otherwise(F.lit("")))


def _plain_letters() -> Iterator[tuple[str, str]]:
    """Accented letter, in lower case -> the letter alone."""
    for letter in (chr(code) for alphabet in _ALPHABETS for code in alphabet):
        base = [part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)]
        if letter == letter.lower() and len(base) == 1 and base != [letter]:
            yield letter, base[0]
    yield from _UNDECOMPOSED.items()


_ACCENTED, _PLAIN = ("".join(letters) for letters in zip(*_plain_letters(), strict=True))


def _words(value: Column) -> Column:
    """Lower case, without accents, letters and digits in words apart by one space; any script.

    `O'Brien` and `Anne-Marie` are one word each. Vowel signs, as of Devanagari, are part of the word.
    """
    plain = F.translate(F.regexp_replace(F.lower(value), _POINTING, ""), _ACCENTED, _PLAIN)
    joined = F.regexp_replace(in_latin(plain), r"(?<=\p{L})['\u2019\u02bc`-](?=\p{L})", "")
    return F.trim(F.regexp_replace(joined, r"[^\p{L}\p{N}\p{M}]++", " "))


def _compact(words: Column) -> Column:
    """Words as one: `mc donald` is `mcdonald`, `2119 NSW` is `2119nsw`."""
    return _ascii(F.replace(words, F.lit(" ")))


def _ascii(text: Column) -> Column:
    return F.when(text.rlike(r"[^\x00-\x7f]"), F.lower(F.hex(F.encode(text, "UTF-8")))).otherwise(text)


def _part_of_name(value: Column, part: str) -> Column:
    """First or last word of a whole name, titles and suffixes left out: `Smith, John` is `John Smith`.

    After a comma that does not follow a single word comes no name (`Thomas Clifford, 1st Baron`): cut off.
    """
    head, tail = _words(F.substring_index(value, ",", 1)), _words(F.try_element_at(F.split(value, ",", 2), F.lit(2)))
    is_turned = value.contains(",") & ~head.contains(" ") & ~tail.rlike("^[0-9]")
    name = F.when(is_turned, F.concat_ws(" ", tail, head)).otherwise(head)
    words = F.filter(F.split(name, " "), lambda word: (word != "") & ~word.isin(*_TITLES, *_SUFFIXES))
    if part == GIVEN_NAME:
        return F.try_element_at(words, F.lit(1))
    assert part == FAMILY_NAME
    return F.when(F.size(words) > 1, F.try_element_at(words, F.lit(-1)))


def _date(value: Column, *, month_first: bool) -> Column:
    """Eight digits, year first, whatever the order and padding it was written in; an impossible date stays what it is.

    Two records with the same typing error agree on it, so an error is no reason to drop the value. Of a date with a word
    in it (`5 Jan 1985`) only the same words in the same order are the same: months have too many names.

    A birthday that was stored as an instant is midnight where it was entered, and all zones differ by quarters of an hour. Such
    a time after noon is the evening before, east of where it was written down: `1985-01-04T23:00Z` is the fifth.
    """
    iso = r"^([0-9]{4})[^0-9]([0-9]{1,2})[^0-9]([0-9]{1,2})(?:[^0-9].*)?$"
    local = r"^([0-9]{1,2})[^0-9]([0-9]{1,2})[^0-9]([0-9]{4})(?:[^0-9].*)?$"
    first, second = F.regexp_extract(value, local, 1), F.regexp_extract(value, local, 2)
    is_month_first = (second.try_cast("int") > 12) | (F.lit(month_first) & ~(first.try_cast("int") > 12))
    month, day = F.when(is_month_first, first).otherwise(second), F.when(is_month_first, second).otherwise(first)

    def joined(year: Column, month: Column, day: Column) -> Column:
        return F.concat(year, F.lpad(month, 2, "0"), F.lpad(day, 2, "0"))

    # Every name used twice is computed twice, and a plan too large is not compiled at all.
    written = F.regexp_extract(value, r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", 0).try_cast("date")
    next_day = F.when(value.rlike(_EVENING), F.date_format(F.date_add(written, 1), "yyyyMMdd"))
    as_written = (
        F.when(value.rlike(iso), joined(*(F.regexp_extract(value, iso, group) for group in (1, 2, 3))))
        .when(value.rlike(local), joined(F.regexp_extract(value, local, 3), month, day))
        .when(value.rlike(r"\p{L}"), _compact(_words(value)))
        .otherwise(F.regexp_replace(value, r"[^0-9]++", ""))
    )
    return F.coalesce(next_day, as_written)
