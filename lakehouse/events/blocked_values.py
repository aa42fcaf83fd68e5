"""Values that identify nobody: the rules of conf/identity.toml, in Python and as columns.

A value is compared in its one form (lakehouse/events/ids.py), in lower case, with the patterns, and without the marks
that templates put around a name (`[order_id]`, `$orderId`, `__ID__`) with the values: those for all types and those of its own type. What
stands between two words says nothing (`not logged in`, `not_logged_in`, `notLoggedIn`), but in an address. A
pattern is read as Java reads it with `(?d)` and Python with `re.ASCII`: there they agree where a line ends.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import IdentifierRule, IdentityConfig
from lakehouse.events import emails, ids

_NO_RULE = IdentifierRule(priority=1, limit=1, max_actors=1)
_MARKS = "()[]<>{}$@#%*|_~&.,:;!? "
_AROUND = f"[{re.escape(_MARKS)}]*"
_BETWEEN_WORDS = r"(?<=[a-z])[ _-]++(?=[a-z])"
_BETWEEN = re.compile(_BETWEEN_WORDS)


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """What identifies nobody, of one type; a blank value always. Values as `_bare` leaves them."""

    values: frozenset[str]
    patterns: tuple[str, ...]

    def holds(self, value: str) -> bool:
        """Whether a value in its one form identifies nobody."""
        low = value.lower()
        if _bare(low) in self.values or ids.BROKEN in low:
            return True
        return any(pattern.search(low) for pattern in self._compiled)

    @cached_property
    def _compiled(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern, re.ASCII) for pattern in self.patterns]

    def misses(self, value: Column) -> Column:
        """Whether the value may identify somebody. Null stays null.

        The values are one more pattern: as literals of their own each would be planned anew in every micro-batch.
        """
        low = F.lower(value)
        listed = "|".join(re.escape(held) for held in sorted(self.values))
        words = F.when(low.contains("@"), low).otherwise(F.regexp_replace(low, _BETWEEN_WORDS, ""))
        held = words.rlike(rf"(?d)\A{_AROUND}(?:{listed}){_AROUND}\z|{ids.BROKEN}")
        for pattern in self.patterns:
            held = held | low.rlike(f"(?d){pattern}")
        return ~held


def blocked(type_: str, identity: IdentityConfig) -> Blocked:
    """The rules for all types and those of `type_`, which may have none of its own."""
    rule = identity.rules.get(type_, _NO_RULE)
    values = {"", *identity.blocked_values, *rule.blocked_values}
    if type_ == "email":  # compared in its one form
        values |= {emails.normalise(value, identity.email_tags) or value for value in values}
    patterns = (identity.blocked_pattern, rule.blocked_pattern, rule.reserved_pattern)
    return Blocked(
        values=frozenset(map(_bare, values)),
        patterns=tuple(pattern for pattern in patterns if pattern),
    )


def _bare(low: str) -> str:
    """A value in lower case without marks around it, and without what stands between its words."""
    bare = low.strip(_MARKS)
    return bare if "@" in bare else _BETWEEN.sub("", bare)
