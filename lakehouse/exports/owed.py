"""Who is still to be compared for a continuous export, and of whom that waits for words alone. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field

MOST_AT_ONCE = 50_000  # profiles of a plan


@dataclass(kw_only=True)
class Owed:
    """profiles: who may have changed. everybody: nobody knows who did not.

    Planned: their plan was made while words waited to be read, and what was to be removed is gone. They wait for the words, and for nothing else;
    so they are planned once more, when all is heard, and not at each look until then.
    """

    profiles: set[str] = field(default_factory=set)
    everybody: bool = False
    _planned: set[str] = field(default_factory=set)
    _everybody_is_planned: bool = False

    def __bool__(self) -> bool:
        return self.everybody or bool(self.profiles)

    def add(self, profiles: Collection[str]) -> None:
        """Something changed of these, whether they were planned or not."""
        self.profiles.update(profiles)
        self._planned.difference_update(profiles)

    def add_everybody(self) -> None:
        """As `add`."""
        self.everybody, self._everybody_is_planned = True, False

    @property
    def is_planned(self) -> bool:
        """Whether all who are owed are."""
        return (not self.everybody or self._everybody_is_planned) and self.profiles <= self._planned

    def next(self) -> frozenset[str] | None:
        """Whom to plan now: who is not planned yet, else who is; None = everybody."""
        if self.is_planned:
            plans_all, those = self.everybody, self.profiles
        else:
            plans_all, those = self.everybody and not self._everybody_is_planned, self.profiles - self._planned
        return None if plans_all else frozenset(sorted(those)[:MOST_AT_ONCE])

    def dealt_with(self, some: Collection[str] | None, *, is_heard: bool) -> None:
        """These were compared, and what is to be removed is gone; None = everybody. Where all is heard, the rest was sent, too."""
        if some is None:
            self.everybody = not is_heard
            self._everybody_is_planned = not is_heard
            self.profiles = set() if is_heard else self.profiles
            self._planned = set(self.profiles)
        elif is_heard:
            self.profiles.difference_update(some)
            self._planned.difference_update(some)
        else:
            self._planned.update(some)
