"""What an event says of consent: categories as consent tools name them -> our purposes, in Python and as a column.

Names are mapped by conf/base.toml, [consent.categories], case aside. Words and numbers are read as well as booleans; what is neither a
yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Somebody who answered at all was asked:
a purpose they said nothing of is not one they were never asked about.
"""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config.limits import PURPOSES
from lakehouse.events import ids

_YES = (
    *("true", "1", "yes", "y", "on", "granted", "grant", "allowed", "allow", "accepted", "accept", "optin", "opt-in"),
    *("opt_in", "opted_in", "opted-in", "ja", "oui", "si"),
)


def consent(preferences: Mapping[str, object], categories: Mapping[str, str]) -> dict[str, bool | None]:
    """Every purpose -> whether it is allowed, None = nothing was said of it. `preferences`: context.consent.categoryPreferences."""
    words = [(ids.normalise(name).lower(), _is_yes(word)) for name, word in preferences.items() if word is not None]
    said: dict[str, bool | None] = dict.fromkeys(PURPOSES)
    for name, is_allowed in words:
        if (purpose := categories.get(name)) is not None:
            said[purpose] = is_allowed and said[purpose] is not False
    if any(name not in categories and not is_allowed for name, is_allowed in words):
        said = {purpose: is_allowed or False for purpose, is_allowed in said.items()}
    return said


def _is_yes(word: object) -> bool:
    return str(word).strip().lower() in _YES


def consented(preferences: Column, categories: Mapping[str, str]) -> dict[str, Column]:
    """The same of a map<string,string>, a column a purpose; null where it is null, too."""
    words = F.filter(F.map_entries(preferences), lambda entry: entry["value"].isNotNull())

    def exists(names: list[str], *, is_mapped: bool = True, is_yes: bool) -> Column:
        def holds(entry: Column) -> Column:
            is_named = F.lower(ids.normalised(entry["key"])).isin(*names)
            return (is_named == F.lit(is_mapped)) & (F.lower(F.trim(entry["value"])).isin(*_YES) == F.lit(is_yes))

        return F.exists(words, holds)

    refused_something = exists(sorted(categories), is_mapped=False, is_yes=False)
    columns = {}
    for purpose in PURPOSES:
        names = sorted(name for name, mapped in categories.items() if mapped == purpose)
        is_refused, is_allowed = exists(names, is_yes=False), exists(names, is_yes=True)
        columns[purpose] = F.when(is_refused, False).when(is_allowed, True).when(refused_something, False)
    return columns
