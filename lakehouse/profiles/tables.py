"""The tables of profiles in flow order. Micro-batch, rebuild, check, plan and docs loop over them."""

from collections.abc import Iterable
from graphlib import TopologicalSorter

from lakehouse.config import Config
from lakehouse.features.definition import Features
from lakehouse.profiles import gold, silver
from lakehouse.profiles.declaration import LeafTable, ProfileTable
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES, NO_AUDIENCES, Audiences, gold_audiences
from lakehouse.profiles.gold.features import GOLD_FEATURES, gold_features
from lakehouse.profiles.gold.scores import GOLD_SCORES, gold_scores


def _in_flow_order(tables: list[ProfileTable]) -> tuple[ProfileTable, ...]:
    """Each after those it reads."""
    by_name = {table.name: table for table in tables}
    reads = {table.name: [name for name in table.reads if name in by_name] for table in tables}
    return tuple(by_name[name] for name in TopologicalSorter(reads).static_order())


LEAF = tuple(table for table in vars(silver).values() if isinstance(table, LeafTable))
GOLD = _in_flow_order([table for table in vars(gold).values() if isinstance(table, ProfileTable)])


def gold_of(config: Config) -> tuple[ProfileTable, ...]:
    """GOLD as it is configured. Raises ConfigError: fairness.corrects is no column of gold.contacts."""
    scores = gold_scores(config.fairness.corrects)
    return GOLD if scores is GOLD_SCORES else _in_flow_order([scores if one is GOLD_SCORES else one for one in GOLD])


def gold_with(config: Config, features: Features, audiences: Audiences = NO_AUDIENCES) -> tuple[ProfileTable, ...]:
    """The gold tables that are kept where these features and audiences are declared."""
    of_features = (gold_features(features),) if features else ()
    of_audiences = (gold_audiences(audiences),) if audiences else ()
    return (*gold_of(config), *of_features, *of_audiences)


def closing_windows(tables: Iterable[ProfileTable]) -> tuple[ProfileTable, ...]:
    """Those of the tables that say something else when a window has closed: the features, and what is made of them."""
    named = {table.name: table for table in tables}
    features, audiences = named.get(GOLD_FEATURES.name), named.get(GOLD_AUDIENCES.name)
    if features is None:
        return ()
    return (features, audiences) if audiences is not None and features.name in audiences.reads else (features,)


def others_read(tables: Iterable[ProfileTable]) -> tuple[ProfileTable, ...]:
    """The gold tables that these read, and that are not among them."""
    parameters = {parameter for table in tables for parameter in table.handed}
    return tuple(table for table in GOLD if table.parameter in parameters)


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
