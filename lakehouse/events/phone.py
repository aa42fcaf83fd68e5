"""Phone numbers in one form, `+<country code><number>`: simple rules, the same in Python and in Spark SQL.

An extension (`x`, `ext`, `#`, `;`) is cut off and everything but digits and `+` dropped. Then `+...` and `00...` are
international. Anything else is national to a region: in North America ten digits, or eleven with a leading 1;
elsewhere the trunk prefix is dropped and the country code put before. Fewer than 7 or more than 15 digits (ITU-T
E.164) is no phone number. These rules know no number ranges: a wrong number in the right form passes.

The region is the country of the address sent with the number, if we know it, else events.default_region. Not that of
the browser's language: en-US is what a browser says when nobody has chosen, so it would turn a shop's own customers'
numbers into American ones.
"""

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.errors import ConfigError
from lakehouse.events.binding import bound


@dataclass(frozen=True, kw_only=True)
class Region:
    """How a country writes its numbers at home."""

    code: str
    trunk: str  # dialled before a national number, not part of it


def _regions(pairs: str, trunk: str) -> dict[str, Region]:
    return {name: Region(code=code, trunk=trunk) for name, code in (pair.split("+") for pair in pairs.split())}


_NORTH_AMERICA = Region(code="1", trunk="1")
_TRUNK_ZERO = (
    "GB+44 IE+353 DE+49 AT+43 CH+41 FR+33 BE+32 NL+31 SE+46 FI+358 AU+61 NZ+64 JP+81 KR+82 CN+86 IN+91 ID+62 MY+60 TH+66 "
    "VN+84 PH+63 TR+90 IL+972 ZA+27 EG+20 NG+234 KE+254 UA+380 RO+40 BG+359 HR+385 SI+386 RS+381 SK+421 LT+370 AR+54 "
    "BR+55 PE+51 AE+971 SA+966 PK+92 BD+880 LK+94 TW+886"
)
_NO_TRUNK = (
    "IT+39 ES+34 PT+351 DK+45 NO+47 PL+48 CZ+420 GR+30 LU+352 EE+372 LV+371 MT+356 CY+357 IS+354 MX+52 CL+56 CO+57 SG+65 "
    "HK+852"
)
REGIONS: dict[str, Region] = {
    "US": _NORTH_AMERICA,
    "CA": _NORTH_AMERICA,
    "UK": Region(code="44", trunk="0"),  # as addresses say it
    "HU": Region(code="36", trunk="06"),
    **_regions(_TRUNK_ZERO, "0"),
    **_regions(_NO_TRUNK, ""),
}

_EXTENSION = r"(?s)(?:[xX#;]|[eE][xX][tT]).*+"
_TRUNK_IN_BRACKETS = r"\(0\)"
_NOT_DIALLED = r"[^0-9+]++"
_VALID = r"\A[+][0-9]{7,15}\z"


# Looked up by plain string functions: ` DE+49/0 `. A map would be planned anew, entry by entry, in every micro-batch.
_TABLE = "".join(f" {name}+{region.code}/{region.trunk}" for name, region in REGIONS.items()) + " "


def region(name: str) -> Region:
    """The numbering rules of an ISO 3166 region.

    Raises:
        ConfigError: naming the regions that are known.
    """
    if name not in REGIONS:
        raise ConfigError(f"[events] default_region: got {name!r}, expected one of {sorted(REGIONS)}. Mend the value")
    return REGIONS[name]


def normalise(value: str, default: Region, country: str | None = None) -> str | None:
    """One number as `+<digits>`; None when it is no phone number.

    `country`: ISO 3166 region a number without country code is national to, in any case, without blanks around; what is
    not known, and None, means `default`.
    """
    home = REGIONS.get((country or "").upper(), default)
    kept = re.sub(_EXTENSION, "", value)
    kept = re.sub(_NOT_DIALLED, "", re.sub(_TRUNK_IN_BRACKETS, "", kept))
    if kept.startswith("+"):
        dialled = kept
    elif kept.startswith("00"):
        dialled = "+" + kept[2:]
    elif home.code == _NORTH_AMERICA.code:
        national = re.fullmatch(r"1?([0-9]{10})", kept)
        dialled = f"+1{national[1]}" if national else ""
    else:
        dialled = f"+{home.code}{kept.removeprefix(home.trunk)}"
    return dialled if re.fullmatch(r"[+][0-9]{7,15}", dialled) else None


def normalised(value: Column, default: Region, country: Column | None = None) -> Column:
    """The same as a column; null when it is no phone number."""
    kept = F.regexp_replace(value, _EXTENSION, "")
    kept = F.regexp_replace(F.regexp_replace(kept, _TRUNK_IN_BRACKETS, ""), _NOT_DIALLED, "")
    code, trunk = _home(default, country)
    return bound(bound(kept, lambda digits: _dialled(digits, code, trunk)), _if_number)


def _dialled(kept: Column, code: Column, trunk: Column) -> Column:
    american = F.when(kept.rlike(r"\A1?[0-9]{10}\z"), F.concat(F.lit("+1"), F.right(kept, F.lit(10))))
    bare = F.when(kept.startswith(trunk), F.substring(kept, F.length(trunk) + 1, F.lit(40))).otherwise(kept)
    return (
        F.when(kept.startswith("+"), kept)
        .when(kept.startswith("00"), F.concat(F.lit("+"), F.substring(kept, 3, 40)))
        .when(code == _NORTH_AMERICA.code, american)
        .otherwise(F.concat(F.lit("+"), code, bare))
    )


def _if_number(dialled: Column) -> Column:
    return F.when(dialled.rlike(_VALID), dialled)


def _home(default: Region, country: Column | None) -> tuple[Column, Column]:
    """Country code and trunk prefix: those of the country where the table has it, else of `default`."""
    if country is None:
        return F.lit(default.code), F.lit(default.trunk)
    name = F.concat(F.lit(" "), F.upper(country), F.lit("+"))
    is_known = (F.char_length(country) == 2) & F.lit(_TABLE).contains(name)
    entry = F.substring_index(F.split_part(F.lit(_TABLE), name, F.lit(2)), " ", 1)
    code = F.when(is_known, F.substring_index(entry, "/", 1)).otherwise(default.code)
    return code, F.when(is_known, F.substring_index(entry, "/", -1)).otherwise(default.trunk)
