"""What the texts of one column can be read as: by evidence in the texts, and never by a guess. Two readings that both fit are not told apart."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse.events import clock
from lakehouse.events.currencies import CURRENCIES, SIGNS
from lakehouse.sources.fields import without_unit

MOST_SPOILT = 0.02  # share of a column's cells that may be none of its type, and are told
_SIGN = r"[-+]?"
_WHOLE = re.compile(rf"{_SIGN}[0-9]+")
_SCIENTIFIC = re.compile(rf"{_SIGN}[0-9]+(?:\.[0-9]+)?[eE][-+]?[0-9]{{1,3}}")
# One mark and three digits behind it: a thousand of something, or a fraction. Nobody can tell from the one text.
_EITHER = re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}([.,])[0-9]{{3}}")
_FRACTION = re.compile(rf"{_SIGN}[0-9]*([.,])[0-9]+")
_BESIDE_A_NUMBER = re.compile(r"[0-9.,'\u2019()\s+-]+")
_GROUPED = {
    ".": re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:[,'\u2019 ][0-9]{{3}})+(?:\.[0-9]+)?"),
    ",": re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:[.'\u2019 ][0-9]{{3}})+(?:,[0-9]+)?"),
}


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """decimal: the mark before the fraction; None = whole numbers, or not told. unsure: why nobody can tell it; None = it can be told.

    share: of the cells that are numbers. is_whole: none has a fraction. negative: cells below zero. unit: the sign or code of a currency that stands beside
    them; None = none does.
    """

    share: float
    decimal: str | None
    unsure: str | None
    is_whole: bool
    negative: int
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Times:
    """format: as Python's strptime; None = ISO 8601 or a number since 1970. unsure: why nobody can tell which; `formats` are those that fit.

    share: of the cells that are times of it. has_clock: they say the time of day; has_offset: and how far it is from UTC. first, last: the
    range, None where the format is not told. is_number: bare digits, that may be something else.
    """

    share: float
    format: str | None
    formats: tuple[str, ...] = ()
    unsure: str | None = None
    has_clock: bool = True
    has_offset: bool = False
    is_number: bool = False
    first: datetime | None = None
    last: datetime | None = None
    evidence: str = ""


def numbers(values: Mapping[str, int]) -> Numbers | None:
    """`values`: text -> cells. None where fewer than all but MOST_SPOILT are numbers."""
    cells = sum(values.values())
    told: Counter[str] = Counter()
    read = negative = 0
    unit = _unit(values)
    for text, count in values.items():
        bare = text if unit is None else without_unit(text, unit)
        kind = _number_kind(bare)
        if kind is not None:
            read += count
            told[kind] += count
            negative += count if bare.startswith("-") else 0
    if not cells or read < (1 - MOST_SPOILT) * cells:
        return None
    decimal = unsure = None
    if told["."] and told[","]:
        unsure = "some of its numbers have a point before the fraction, and some a comma"
    elif told["."] or told[","]:
        decimal = "." if told["."] else ","
    elif told["either ."] or told["either ,"]:
        mark = "point" if told["either ."] else "comma"
        unsure = f"a {mark} with three digits behind it may stand before a fraction or between thousands"
    is_whole = not set(told) - {"whole"}
    return Numbers(share=read / cells, decimal=decimal, unsure=unsure, is_whole=is_whole, negative=negative, unit=unit)


def _unit(values: Iterable[str]) -> str | None:
    """The one sign or code of a currency that stands beside numbers; None where none does, or several do: nobody adds those up."""
    found = {unit for text in values if (unit := _unit_of(text)) is not None}
    return found.pop() if len(found) == 1 else None


def _unit_of(text: str) -> str | None:
    beside = _BESIDE_A_NUMBER.sub("", text)
    return beside if beside in SIGNS or beside in CURRENCIES else None


def _number_kind(text: str) -> str | None:
    """`whole`; the mark a text proves; `either` with a mark that proves nothing; None for no number."""
    if _WHOLE.fullmatch(text):
        return "whole"
    if _SCIENTIFIC.fullmatch(text):
        return "."
    if found := _EITHER.fullmatch(text):
        return f"either {found[1]}"
    if found := _FRACTION.fullmatch(text):
        return found[1]
    plain = re.sub("[\u00a0\u202f\u2009]", " ", text)
    fitting = [mark for mark, pattern in _GROUPED.items() if pattern.fullmatch(plain)]
    if len(fitting) == 1:
        return fitting[0]
    return "whole" if fitting else None  # 12 345 by either


_CLOCK = r"(?P<between>,? |T)(?P<hour>[0-9]{1,2}):[0-9]{2}(?P<seconds>:[0-9]{2})?(?P<half> ?[AaPp][Mm])?"
_DAY_MONTH = re.compile(
    rf"(?P<a>[0-9]{{1,2}})(?P<mark>[./-])(?P<b>[0-9]{{1,2}})(?P=mark)(?P<year>[0-9]{{4}}|[0-9]{{2}})(?:{_CLOCK})?"
)
_YEAR_FIRST = re.compile(rf"[0-9]{{4}}(?P<mark>[./])[0-9]{{1,2}}(?P=mark)[0-9]{{1,2}}(?:{_CLOCK})?")
_COMPACT = {
    re.compile(r"(?:19|20)[0-9]{6}"): "%Y%m%d",
    re.compile(r"(?:19|20)[0-9]{12}"): "%Y%m%d%H%M%S",
}
_NAMED_MONTH = re.compile(
    rf"(?P<first>[0-9]{{1,2}}[ -])?(?P<month>[A-Z][a-z]{{2,8}})(?P<then>[ -](?:[0-9]{{1,2}}, )?)[0-9]{{4}}(?:{_CLOCK})?"
)
_SINCE_1970 = re.compile(r"[0-9]{9,19}(?:\.[0-9]{1,9})?")
_ISO_CLOCK, _ISO_OFFSET = (
    re.compile(r"[Tt ][0-9]{2}:[0-9]{2}"),
    re.compile(r":[0-9]{2}.*(?:[Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{0,2})\Z"),
)
_SINCE = "a number since 1970"
_ISO = "ISO 8601"


def times(values: Mapping[str, int]) -> Times | None:
    """`values`: text -> cells. None where they are no times, or fewer than all but MOST_SPOILT."""
    cells = sum(values.values())
    kinds: dict[str, Counter[str]] = {}
    for text, count in values.items():
        if (kind := _time_kind(text)) is not None:
            kinds.setdefault(kind, Counter())[text] += count
    if not kinds:
        return None
    kind, of_kind = max(kinds.items(), key=lambda one: one[1].total())
    share = of_kind.total() / cells
    if sum(one.total() for one in kinds.values()) < (1 - MOST_SPOILT) * cells:
        return None
    if share < 1 - MOST_SPOILT:
        return Times(share=share, format=None, unsure="its times are written in several ways")
    if kind == _ISO:
        return _iso(of_kind, share)
    if kind == _SINCE:
        return _since_1970(of_kind, share)
    if "%?" in kind:
        return _day_or_month(of_kind, kind, share)
    return _of_format(of_kind, kind, share, f"every text is a time by {kind}")


def _time_kind(text: str) -> str | None:
    """A format; with `%?` for day and month, whichever comes first; or one of the words for what needs no format."""
    for pattern, format_ in _COMPACT.items():
        if pattern.fullmatch(text):
            return format_ if _strptime(text, format_) else None
    if _SINCE_1970.fullmatch(text):
        return _SINCE
    if text[4:5] == "-" and clock.instant(text) is not None:
        return _ISO
    if found := _DAY_MONTH.fullmatch(text):
        mark, year = found["mark"], "%Y" if len(found["year"]) == 4 else "%y"
        return f"%?{mark}%?{mark}{year}{_clock_format(found)}"
    if found := _YEAR_FIRST.fullmatch(text):
        return f"%Y{found['mark']}%m{found['mark']}%d{_clock_format(found)}"
    if found := _NAMED_MONTH.fullmatch(text):
        return _named_month(text, found)
    return None


def _clock_format(found: re.Match[str]) -> str:
    if found["hour"] is None:
        return ""
    half = f"{' ' if found['half'].startswith(' ') else ''}%p" if found["half"] else ""
    return f"{found['between']}{'%I' if half else '%H'}:%M{':%S' if found['seconds'] else ''}{half}"


def _named_month(text: str, found: re.Match[str]) -> str | None:
    first, then = found["first"], found["then"]
    if (first is None) == (then == then[0]):  # a day on either side of the month, and not on both
        return None
    for month in ("%b", "%B"):
        day = f"%d{first[-1]}" if first else ""
        format_ = f"{day}{month}{then if first else f'{then[0]}%d, '}%Y{_clock_format(found)}"
        if _strptime(text, format_):
            return format_
    return None


def _strptime(text: str, format_: str) -> datetime | None:
    try:
        moment = datetime.strptime(text, format_)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_format(values: Mapping[str, int], format_: str, share: float, evidence: str) -> Times | None:
    read = [moment for text in values if (moment := _strptime(text, format_)) is not None]
    if len(read) < (1 - MOST_SPOILT) * len(values):
        return None
    return Times(
        share=share,
        format=format_,
        has_clock="%M" in format_,
        is_number=format_ in _COMPACT.values(),
        first=min(read),
        last=max(read),
        evidence=evidence,
    )


def _day_or_month(values: Mapping[str, int], kind: str, share: float) -> Times | None:
    """Which of two numbers is the day is told by one above 12, and by nothing else."""
    found = [match for text in values if (match := _DAY_MONTH.fullmatch(text))]
    firsts, seconds, years = ({int(match[part]) for match in found} for part in ("a", "b", "year"))
    day_first, month_first = (
        kind.replace("%?", "%d", 1).replace("%?", "%m"),
        kind.replace("%?", "%m", 1).replace("%?", "%d"),
    )
    over = [max(firsts) > 12, max(seconds) > 12]
    if "%y" in kind and (max(max(firsts), max(seconds)) > 31 or len(years) > 12):
        return Times(share=share, format=None, unsure="which of three numbers of two digits is the year cannot be told")
    if over[0] != over[1]:
        number, format_ = ("first", day_first) if over[0] else ("second", month_first)
        return _of_format(values, format_, share, f"the {number} number is above 12 in some, so it is the day")
    why = (
        "both numbers are above 12 in some"
        if over[0]
        else "no number is above 12, so nobody can tell the day from the month"
    )
    return Times(share=share, format=None, formats=(day_first, month_first), unsure=why, has_clock="%M" in kind)


def _iso(values: Mapping[str, int], share: float) -> Times:
    return _span(
        values,
        share,
        has_clock=any(_ISO_CLOCK.search(text) for text in values),
        has_offset=all(_ISO_OFFSET.search(text) for text in values),
        evidence="every text is a time by ISO 8601",
    )


_MICROS: Mapping[float, str] = {1e6: "seconds", 1e3: "milliseconds", 1.0: "microseconds", 1e-3: "nanoseconds"}


def _since_1970(values: Mapping[str, int], share: float) -> Times:
    units = {next((unit for below, unit in clock.UNITS if float(text) < below), 1e-3) for text in values}
    if len(units) > 1:
        return Times(share=share, format=None, unsure="its numbers since 1970 are of several units", is_number=True)
    unit = _MICROS[units.pop()]
    return _span(values, share, has_offset=True, is_number=True, evidence=f"its size makes it {unit} since 1970")


def _span(
    values: Mapping[str, int],
    share: float,
    *,
    evidence: str,
    has_offset: bool,
    has_clock: bool = True,
    is_number: bool = False,
) -> Times:
    moments = [micros for text in values if (micros := clock.instant(text)) is not None]
    return Times(
        share=share,
        format=None,
        has_clock=has_clock,
        has_offset=has_offset,
        is_number=is_number,
        first=_moment(min(moments)),
        last=_moment(max(moments)),
        evidence=evidence,
    )


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
