"""What holds for a purpose that nobody was asked about, by where they are: consent.jurisdictions, and consent.never_asked for the rest. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import ConsentConfig
from lakehouse.config.limits import PURPOSES

Declared = Mapping[str, tuple[str, ...]]
"""ISO 3166 code in capitals -> purposes that are allowed there while nobody was asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """never_asked: what holds elsewhere, and where nobody knows. purposes: all that are declared."""

    never_asked: bool
    by_jurisdiction: Declared = field(default_factory=dict)
    purposes: tuple[str, ...] = PURPOSES

    @classmethod
    def of(cls, config: ConsentConfig) -> "Defaults":
        return cls(never_asked=config.assumed, by_jurisdiction=config.jurisdictions, purposes=config.purposes)

    def allows(self, purpose: str, jurisdictions: Collection[str] = ()) -> bool:
        """Whether a purpose nobody was asked about is allowed. Of several jurisdictions of one person every one must allow it."""
        return all(self._in(purpose, one) for one in jurisdictions) if jurisdictions else self.never_asked

    def _in(self, purpose: str, jurisdiction: str) -> bool:
        for code in (jurisdiction, jurisdiction.split("-")[0]):
            if code in self.by_jurisdiction:
                return purpose in self.by_jurisdiction[code]
        return self.never_asked

    def column(self, purpose: str, jurisdictions: Column) -> Column:
        """`allows`, of a column of jurisdictions; null = none is known."""
        if not self.by_jurisdiction:
            return F.lit(self.never_asked)
        declared = [
            part
            for code, allowed in sorted(self.by_jurisdiction.items())
            for part in (F.lit(code), F.lit(purpose in allowed))
        ]
        told = F.create_map(*declared)

        def holds(one: Column) -> Column:
            of_country = F.try_element_at(told, F.substring_index(one, "-", 1))
            return F.coalesce(F.try_element_at(told, one), of_country, F.lit(self.never_asked))

        is_known = F.size(F.coalesce(jurisdictions, F.array().cast("array<string>"))) > 0
        return F.when(is_known, F.forall(jurisdictions, holds)).otherwise(F.lit(self.never_asked))
