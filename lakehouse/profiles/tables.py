"""The tables of profiles in flow order. Micro-batch, rebuild, check, plan and docs loop over them."""

from graphlib import TopologicalSorter

from lakehouse.profiles import gold, silver
from lakehouse.profiles.declaration import LeafTable, ProfileTable


def _in_flow_order(tables: list[ProfileTable]) -> tuple[ProfileTable, ...]:
    """Each after those it reads."""
    by_name = {table.name: table for table in tables}
    reads = {table.name: [name for name in table.reads if name in by_name] for table in tables}
    return tuple(by_name[name] for name in TopologicalSorter(reads).static_order())


LEAF = tuple(table for table in vars(silver).values() if isinstance(table, LeafTable))
GOLD = _in_flow_order([table for table in vars(gold).values() if isinstance(table, ProfileTable)])

HANDED = frozenset(table for table in LEAF if any(table.parameter in gold_table.handed for gold_table in GOLD))
"""The leaf tables that gold is made from."""
