"""Which rules the map was solved by: silver.identity_rules, written after the map, so that a lost index does not lose it."""

from datetime import datetime

import pandas as pd

from lakehouse.identity.rules_fingerprint import fingerprint, rules_text
from lakehouse.lake.delta import Lake, arrow
from lakehouse.profiles.stitching.identity_tables import all_rows
from lakehouse.tables.identity import SILVER_IDENTITY_RULES


def applied(lake: Lake) -> list[str]:
    """The fingerprints of all rules there have been, in order; the last is that of the map."""
    rows = all_rows(lake, SILVER_IDENTITY_RULES)  # one per change of the rules
    return [str(name) for name in rows.sort_values("applied_at")["fingerprint"]]


def are_new(lake: Lake, known: list[str]) -> bool:
    """Whether the map was solved by other rules than those in force: then everything is due."""
    return not known or known[-1] != fingerprint(lake.config)


def record(lake: Lake, now: datetime) -> None:
    """The map is now what the rules in force say."""
    row = {"applied_at": now, "fingerprint": fingerprint(lake.config), "rules": rules_text(lake.config)}
    lake.add(arrow(pd.DataFrame([row]), SILVER_IDENTITY_RULES), SILVER_IDENTITY_RULES)
