"""The tables of profiles in flow order. Micro-batch, rebuild, check, plan and docs loop over them."""

from collections.abc import Iterable
from graphlib import TopologicalSorter

from lakehouse.features.definition import Features
from lakehouse.profiles import gold, silver
from lakehouse.profiles.declaration import LeafTable, ProfileTable
from lakehouse.profiles.gold.features import gold_features


def _in_flow_order(tables: list[ProfileTable]) -> tuple[ProfileTable, ...]:
    """Each after those it reads."""
    by_name = {table.name: table for table in tables}
    reads = {table.name: [name for name in table.reads if name in by_name] for table in tables}
    return tuple(by_name[name] for name in TopologicalSorter(reads).static_order())


LEAF = tuple(table for table in vars(silver).values() if isinstance(table, LeafTable))
GOLD = _in_flow_order([table for table in vars(gold).values() if isinstance(table, ProfileTable)])


def gold_with(features: Features) -> tuple[ProfileTable, ...]:
    """The gold tables that are kept where these features are declared."""
    return (*GOLD, gold_features(features)) if features else GOLD


def handed(tables: Iterable[ProfileTable]) -> frozenset[LeafTable]:
    """The leaf tables that the gold tables are made from."""
    parameters = {parameter for table in tables for parameter in table.handed}
    return frozenset(table for table in LEAF if table.parameter in parameters)


def made_first(table: ProfileTable, tables: Iterable[ProfileTable]) -> tuple[ProfileTable, ...]:
    """The table and those of `tables` that it is made from, in their order."""
    listed = tuple(tables)
    wanted = {table.parameter}
    for each in reversed(listed):
        wanted |= set(each.handed) if each.parameter in wanted else set()
    return tuple(each for each in listed if each.parameter in wanted)
