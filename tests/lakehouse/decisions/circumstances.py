"""Circumstances of a test's own: nothing speaks against anything but what is named."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import Circumstances, DecisionInputs, circumstances_of
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.offers import Catalogue
from lakehouse.decisions.visitor import Visitor
from lakehouse.experiments.definitions import Experiments, Holdout
from lakehouse.online.recent_behaviour import RecentBehaviour
from lakehouse.rules.book import RuleBook

T = TypeVar("T")


def circumstances(
    *,
    now: datetime,
    catalogue: Catalogue | None = None,
    shown: Mapping[str, Sequence[datetime]] = {},
    is_suppressed: bool = False,
    missing: tuple[str, ...] = (),
    zone: str | None = None,
    **fields: object,
) -> Circumstances:
    """As `circumstances_of` makes them, of somebody unknown who allowed everything; `fields` replace what it found."""
    recent = RecentBehaviour(consent={}, exposures={name: tuple(times) for name, times in shown.items()})
    visitor = Visitor(
        identifier=None, profile=None, recent=recent, is_suppressed=is_suppressed, missing=missing, zone=zone
    )
    inputs = DecisionInputs(
        catalogue=catalogue,
        book=RuleBook({}, {}, []),
        experiments=Experiments({}, Holdout()),
        unavailable=frozenset(),
        consent=Defaults(never_asked=True),
    )
    return circumstances_of(visitor, inputs, now=now)._replace(**fields)


def passed(what: T) -> Permitted[T]:
    """It, as the gate lets it pass to somebody unknown whom nothing speaks against."""
    found = permit(what, circumstances(now=datetime(2026, 1, 1, tzinfo=UTC)), "marketing")
    assert isinstance(found, Permitted)
    return found
