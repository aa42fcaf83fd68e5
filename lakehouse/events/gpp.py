"""A string of the IAB's Global Privacy Platform: which laws' sections it has, and what they say that somebody refuses.

A header names the sections, in the order in which they follow, with `~` between them. A section of a U.S. law opts out at fixed bits: of the sale of personal data, of its
sharing, of advertising by it; and a part of its own may repeat Global Privacy Control. Only that is read of it. The European section is a TC string (tcf.py), the oldest
of California a U.S. Privacy String.
Source: https://github.com/InteractiveAdvertisingBureau/Global-Privacy-Platform (Core/Consent String Specification.md, Sections/US-States)
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from lakehouse.events import tcf

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS = {character: f"{number:06b}" for number, character in enumerate(_BASE64)}
_HEADER = f"{3:06b}{1:06b}"  # its type, and the one version there is
_COUNT = slice(12, 24)
# A bit that says whether two numbers follow or one, then each number up to its two ones.
_RANGE = re.compile("(?P<is_range>1)?(?(is_range)|0)(?P<first>[01]{0,15}?11)(?(is_range)(?P<further>[01]{0,15}?11))")
_TCF_EU, _SIGNATURE, _US_PRIVACY = 2, 4, 6
_VERSION_BITS, _FIELD_BITS = 6, 2
_OPTED_OUT, _GPC = "01", "011"  # a field's one; a part of type 1 whose bit is set
# Sections of U.S. laws -> which fields of two bits, behind the version, opt out. In each they stand before the lists that versions lengthened.
_NATIONAL, _CALIFORNIA, _STATES, _MORE_NOTICES, _SINCE_2025 = (6, 7, 8), (3, 4), (3, 4), (4, 5), (5, 6)
_OPT_OUTS: Mapping[int, tuple[int, ...]] = {
    7: _NATIONAL,
    8: _CALIFORNIA,
    **dict.fromkeys((9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23), _STATES),
    **dict.fromkeys((11, 18), _MORE_NOTICES),  # Utah, Iowa
    **dict.fromkeys((24, 25, 26, 27), _SINCE_2025),  # Maryland, Indiana, Kentucky, Rhode Island
}
_WITHOUT_GPC = frozenset((25, 26, 27))  # their other part is of sensitive data
# Notice given, opted out of sale, under an agreement.
_US_PRIVACY_STRING = re.compile(r"1[YN-]([YN-])[YN-]", re.IGNORECASE)


class GppString(NamedTuple):
    """opts_out: by a section of a U.S. law. tc_string: the European section. is_whole: false where there is a section that nobody here can read."""

    opts_out: bool
    tc_string: tcf.TcString | None
    is_whole: bool


def decode(text: str) -> GppString | None:
    """None for what is no such string, or one whose header names other sections than follow."""
    header, *sections = text.strip().split("~")
    numbers = _numbers(_bits(header), len(sections))
    if numbers is None or len(numbers) != len(sections):
        return None
    by_number = dict(zip(numbers, sections, strict=True))
    by_number.pop(_SIGNATURE, None)
    european = by_number.pop(_TCF_EU, None)
    tc_string = None if european is None else tcf.decode(european)
    opted_out = [_opts_out(number, section) for number, section in by_number.items()]
    is_whole = None not in opted_out and (tc_string is not None or european is None)
    return GppString(True in opted_out, tc_string, is_whole)


def us_privacy_opts_out(text: str) -> bool | None:
    """Of a U.S. Privacy String; None for what is none."""
    found = _US_PRIVACY_STRING.fullmatch(text.strip())
    return None if found is None else found[1].upper() == "Y"


def _opts_out(number: int, section: str) -> bool | None:
    """None where nobody here can read it."""
    if number == _US_PRIVACY:
        return us_privacy_opts_out(section)
    core, *parts = map(_bits, section.split("."))
    fields = _OPT_OUTS.get(number)
    if fields is None or len(core) < _VERSION_BITS + _FIELD_BITS * (max(fields) + 1):
        return None
    starts = (_VERSION_BITS + _FIELD_BITS * field for field in fields)
    says_gpc = number not in _WITHOUT_GPC and any(part.startswith(_GPC) for part in parts)
    return says_gpc or any(core[start : start + _FIELD_BITS] == _OPTED_OUT for start in starts)


def _bits(text: str) -> str:
    """Six of each character of base64; none of a text that has others."""
    return "" if text.strip(_BASE64) else "".join(map(_BITS.__getitem__, text))


def _numbers(header: str, most: int) -> list[int] | None:
    """Which sections a header names; None where it is none, or names more than `most`. Each number is told by its distance from the one before."""
    if not header.startswith(_HEADER) or len(header) < _COUNT.stop:
        return None
    numbers: list[int] = []
    last, at = 0, _COUNT.stop
    for _ in range(int(header[_COUNT], 2)):
        found = _RANGE.match(header, at)
        if found is None:
            return None
        first = last + _fibonacci(found["first"])
        last = first + _fibonacci(found["further"] or "")
        if len(numbers) + last - first + 1 > most:
            return None
        numbers += range(first, last + 1)
        at = found.end()
    return numbers


def _fibonacci(code: str) -> int:
    """A sum of Fibonacci's numbers 1, 2, 3, 5 ..., a bit each; the last bit ends it."""
    total, one, next_one = 0, 1, 2
    for bit in code[:-1]:
        total += one if bit == "1" else 0
        one, next_one = next_one, one + next_one
    return total
