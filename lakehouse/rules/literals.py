"""Constants of a rule that are no plain values: lengths of time, units, zones, instants; and how a fault quotes a text."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

from sqlglot import exp
from sqlglot.errors import SqlglotError

from lakehouse.errors import RuleError
from lakehouse.rules.operators import UNITS
from lakehouse.rules.vocabulary import prepared

MOST_UNITS = 1_000_000  # of an interval: beyond, no time is left in any calendar
Node = exp.Expr
UNKNOWN_TO_JAVA = frozenset(
    {"America/Coyhaique"}
)  # of 2025: to Java 17 of before it is an error, and would end the stream


def microseconds(interval: exp.Interval) -> int:
    amount = interval.this.name if isinstance(interval.this, exp.Literal) else ""
    if not amount.isdecimal() or not amount.isascii() or int(amount) > MOST_UNITS:
        raise RuleError(
            f"INTERVAL: got '{short(sql_of(interval))}', expected a whole number up to {MOST_UNITS} and a unit"
        )
    return int(amount) * UNITS[unit_of(interval.args.get("unit"))]


def unit_of(unit: Node | None) -> str:
    name = "" if unit is None else unit.name.upper()
    name = name.removesuffix("S") if name not in UNITS else name
    if name not in UNITS:
        raise RuleError(f"unit of time: got '{short(name)}', expected {', '.join(UNITS)}")
    return name


def zone_of(zone: Node | None) -> str:
    """The name of a zone: region and city, or UTC."""
    name = zone.name if isinstance(zone, exp.Literal) else ""
    if name not in available_timezones() or name in UNKNOWN_TO_JAVA or ("/" not in name and name != "UTC"):
        raise RuleError(f"from_utc_timestamp: got zone '{short(name)}', expected one such as 'Europe/Berlin'")
    return name


def instant(text: str) -> object:
    """Microseconds since 1970; UTC, unless the text names its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RuleError(f"TIMESTAMP: got '{short(text)}', expected '2026-01-31 08:00:00'") from error
    return prepared({"now": at if at.tzinfo else at.replace(tzinfo=UTC)})["now"]


def sql_of(node: Node) -> str:
    try:
        return node.sql(dialect="spark")
    except (SqlglotError, RecursionError, ValueError, AttributeError):
        return node.key


def short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
