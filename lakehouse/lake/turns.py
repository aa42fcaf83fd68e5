"""Whose turn it is to write a table that several threads of one process write: commits of two of them at once are not safe on a local disk."""

from threading import Lock, RLock

from lakehouse.tables.contract import Table

_TURNS: dict[tuple[str, str], "RLock"] = {}
_LOOKING = Lock()


def turn(root: str, table: Table) -> "RLock":
    """To be held by whoever writes this table of the lake at `root`, and nobody else does meanwhile."""
    with _LOOKING:
        return _TURNS.setdefault((root, table.name), RLock())
