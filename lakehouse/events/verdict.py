"""A verdict: why a record is rejected, or a field of it left empty, as one text `<reason>|<what was wrong>`; None = no fault found."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_BAR = "|"


def fault(reason: str, detail: str = "") -> str:
    """The verdict `reason`; `detail` names fields and what was expected of them, never values."""
    return f"{reason}{_BAR}{detail}"


def parts(verdict: str | None) -> tuple[str | None, str | None]:
    """Reason and detail, as `reason_of` and `detail_of` tell them; both None where no fault was found."""
    if verdict is None:
        return None, None
    reason, _, detail = verdict.partition(_BAR)
    return reason, detail or None


def reason_of(verdict: Column) -> Column:
    return F.substring_index(verdict, _BAR, 1)


def detail_of(verdict: Column) -> Column:
    """What was wrong, which may have a bar in it; null when the reason says it all."""
    detail = F.substr(verdict, F.length(reason_of(verdict)) + F.lit(len(_BAR) + 1))
    return F.when(detail != "", detail)
