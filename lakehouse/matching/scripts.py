"""Letters of other alphabets -> Latin ones: a name is compared letter by letter, and with how it is written abroad.

Greek, Cyrillic, Armenian, Hebrew, Arabic and Georgian, as AnyAscii reads each letter by itself. A consonant sign it only
breathes (alef, ayin) is `a`; the soft and the hard sign are nothing. Scripts that write syllables or words are left as they are.
"""

from collections.abc import Iterator, Mapping

from anyascii import anyascii
from pyspark.sql import Column
from pyspark.sql import functions as F

_ALPHABETS = (
    *(range(0x3B1, 0x3CA), range(0x430, 0x530), range(0x561, 0x588)),  # Greek, Cyrillic, Armenian; lower case
    *(range(0x5D0, 0x5EB), range(0x620, 0x6D4), range(0x10D0, 0x10FB)),  # Hebrew, Arabic, Georgian
)
_BREATHED = range(0x5D0, 0x6D4)


def _readings() -> Iterator[tuple[str, str]]:
    for code in (code for alphabet in _ALPHABETS for code in alphabet):
        if chr(code).isalpha():
            read = "".join(filter(str.isalpha, anyascii(chr(code)))).lower()
            yield chr(code), read or ("a" if code in _BREATHED else "")


_READ: Mapping[str, str] = dict(_readings())
# Those read as one letter first: `translate` takes away what it is told no counterpart for.
_SHORT = sorted((letter for letter, read in _READ.items() if len(read) <= 1), key=lambda letter: not _READ[letter])
_LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
_LONG = {letter: read for letter, read in _READ.items() if len(read) > 1} | _LIGATURES


def in_latin(text: Column) -> Column:
    """Lower-case text with every letter of these alphabets, and every ligature, in Latin letters; anything else as it is."""
    letters = F.split(F.translate(text, "".join(_SHORT), "".join(_READ[letter] for letter in _SHORT)), "")
    # One look into a map: a call of `replace` for each letter is a plan that takes seconds to analyse.
    readings = F.str_to_map(F.lit(",".join(f"{letter}:{read}" for letter, read in _LONG.items())))
    read = F.array_join(F.transform(letters, lambda letter: F.coalesce(F.try_element_at(readings, letter), letter)), "")
    return F.when(text.rlike(r"[^\x00-\x7f]"), read).otherwise(text)
