"""The last good answers, by the identifier that was asked for: the second rung of the ladder, for when the model is away."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from lakehouse.recommend.proposal import Proposal

_MOST = 50_000
_MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    items: tuple[Proposal, ...]


class LastAnswers:
    """The products last recommended to a visitor; forgotten after an hour, or when too many came since."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, visitor: str, items: Sequence[Proposal], now: float) -> None:
        """`now`: seconds, of the clock that `of` is given."""
        self._kept[visitor] = _Kept(now, tuple(items))
        self._kept.move_to_end(visitor)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def of(self, visitor: str, now: float) -> tuple[Proposal, ...]:
        """Seconds of any clock; a clock that went back forgets nothing."""
        kept = self._kept.get(visitor)
        return () if kept is None or now - kept.at > _MOST_SECONDS else kept.items
