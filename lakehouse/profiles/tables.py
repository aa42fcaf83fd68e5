"""The tables of profiles in flow order. Micro-batch, rebuild, check, plan and docs loop over them."""

from collections.abc import Iterable
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


def handed(tables: Iterable[ProfileTable]) -> frozenset[LeafTable]:
    """The leaf tables that the gold tables are made from."""
    parameters = {parameter for table in tables for parameter in table.handed}
    return frozenset(table for table in LEAF if table.parameter in parameters)
