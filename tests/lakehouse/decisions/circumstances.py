"""Circumstances of a test's own: nothing speaks against anything but what is named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lakehouse.decisions.circumstances import Circumstances, DecisionInputs, circumstances_of
from lakehouse.decisions.offers import Catalogue
from lakehouse.decisions.visitor import Visitor
from lakehouse.online.recent_behaviour import RecentBehaviour


def circumstances(
    *,
    now: datetime,
    catalogue: Catalogue | None = None,
    shown: Mapping[str, Sequence[datetime]] = {},
    is_suppressed: bool = False,
    missing: tuple[str, ...] = (),
    **fields: object,
) -> Circumstances:
    """As `circumstances_of` makes them, of somebody unknown who allowed everything; `fields` replace what it found."""
    recent = RecentBehaviour(consent={}, exposures={name: tuple(times) for name, times in shown.items()})
    visitor = Visitor(identifier=None, profile=None, recent=recent, is_suppressed=is_suppressed, missing=missing)
    nothing = DecisionInputs(
        catalogue=catalogue, book=None, experiments=None, unavailable=frozenset(), consent_assumed=True
    )
    return replace(circumstances_of(visitor, nothing, now=now), **fields)  # type: ignore[arg-type]
