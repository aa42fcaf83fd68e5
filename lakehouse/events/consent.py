"""What an event says of consent: categories as consent tools name them -> our purposes.

Names are mapped by conf/base.toml, [consent.categories], case aside. Words and numbers are read as well as booleans; what is neither a
yes nor a no counts as a no. Of several categories of one purpose one no is a no. A refusal of a category that is mapped to nothing
denies every purpose the same message does not allow by name: nobody knows what was refused. Somebody who answered at all was asked:
a purpose they said nothing of is not one they were never asked about.
"""

from collections.abc import Mapping

from lakehouse.config.limits import PURPOSES
from lakehouse.events import ids
from lakehouse.events.document import text_of

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
    return (text_of(word) or "").strip().lower() in _YES
