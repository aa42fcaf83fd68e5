"""Phone numbers in one form, `+<country code><number>`: simple rules, the same in Python and in Spark SQL.

An extension (`x`, `ext`, `#`, `;`) is cut off and everything but digits and `+` dropped. Then `+...` and `00...` are
international. Anything else is national to events.default_region: in North America ten digits, or eleven with a leading
1; elsewhere the trunk prefix is dropped and the country code put before. Fewer than 7 or more than 15 digits (ITU-T
E.164) is no phone number. These rules know no number ranges: a wrong number in the right form passes.
"""

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.errors import ConfigError


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
    "HU": Region(code="36", trunk="06"),
    **_regions(_TRUNK_ZERO, "0"),
    **_regions(_NO_TRUNK, ""),
}

_EXTENSION = r"(?s)(?:[xX#;]|[eE][xX][tT]).*+"
_TRUNK_IN_BRACKETS = r"\(0\)"
_NOT_DIALLED = r"[^0-9+]++"
_VALID = r"\A[+][0-9]{7,15}\z"


def region(name: str) -> Region:
    """The numbering rules of an ISO 3166 region.

    Raises:
        ConfigError: naming the regions that are known.
    """
    if name not in REGIONS:
        raise ConfigError(f"[events] default_region: got {name!r}, expected one of {sorted(REGIONS)}. Mend the value")
    return REGIONS[name]


def normalise(value: str, home: Region) -> str | None:
    """One number as `+<digits>`; None when it is no phone number."""
    kept = re.sub(_EXTENSION, "", value)
    kept = re.sub(_NOT_DIALLED, "", re.sub(_TRUNK_IN_BRACKETS, "", kept))
    if kept.startswith("+"):
        dialled = kept
    elif kept.startswith("00"):
        dialled = "+" + kept[2:]
    elif home is _NORTH_AMERICA:
        national = re.fullmatch(r"1?([0-9]{10})", kept)
        dialled = f"+1{national[1]}" if national else ""
    else:
        dialled = f"+{home.code}{kept.removeprefix(home.trunk)}"
    return dialled if re.fullmatch(r"[+][0-9]{7,15}", dialled) else None


def normalised(value: Column, home: Region) -> Column:
    """The same as a column; null when it is no phone number."""
    kept = F.regexp_replace(value, _EXTENSION, "")
    kept = F.regexp_replace(F.regexp_replace(kept, _TRUNK_IN_BRACKETS, ""), _NOT_DIALLED, "")
    if home is _NORTH_AMERICA:
        national = F.when(kept.rlike(r"\A1?[0-9]{10}\z"), F.concat(F.lit("+1"), F.right(kept, F.lit(10))))
    else:
        bare = F.regexp_replace(kept, rf"\A{home.trunk}", "") if home.trunk else kept
        national = F.concat(F.lit(f"+{home.code}"), bare)
    dialled = (
        F.when(kept.startswith("+"), kept)
        .when(kept.startswith("00"), F.concat(F.lit("+"), F.substring(kept, 3, 40)))
        .otherwise(national)
    )
    return F.when(dialled.rlike(_VALID), dialled)
