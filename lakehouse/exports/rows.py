"""What a destination is handed: rows that passed the gate, and rows that are to go."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lakehouse.decisions.gate import Permitted

Row = Mapping[str, Any]
"""Column at the destination -> value."""


class Sending(NamedTuple):
    """One row that passed the gate. `key`: as the ledger has it."""

    key: str
    row: Permitted[Row]


class Removal(NamedTuple):
    """One row that is to go. `identity`: what the destination finds it by; None = the key. Holds nothing else of the person."""

    key: str
    identity: str | None
