"""The order of the tables, from what each reads; the plan drawn from it. Needs no Spark."""

import dataclasses
import difflib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lakehouse.config import Config
from lakehouse.config.overlay import shown
from lakehouse.errors import ContractError
from lakehouse.tables.contract import KAFKA, Table


def order(tables: Mapping[str, Table]) -> list[Table]:
    """Every table after all it reads; among those that could come next, as `tables` lists them.

    Raises:
        ContractError: a table reads a name that is no table (with the nearest that is), or tables read each other in a ring.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for table in tables.values():
        for source in table.reads:
            if source != KAFKA and source not in tables:
                raise ContractError(_unknown_source(table, source, tables))
        sorter.add(table.name, *(source for source in table.reads if source != KAFKA))
    try:
        sorter.prepare()
    except CycleError as error:
        ring = " -> ".join(reversed(error.args[1]))
        raise ContractError(
            f"lakehouse/catalog.py: tables read each other in a ring, got {ring}, expected an order. Mend one of their `reads`"
        ) from None
    return _in_contract_order(sorter, list(tables), tables)


def _in_contract_order(sorter: "TopologicalSorter[str]", names: list[str], tables: Mapping[str, Table]) -> list[Table]:
    ordered, ready = [], set(sorter.get_ready())
    while ready:
        name = min(ready, key=names.index)
        ready.remove(name)
        ordered.append(tables[name])
        sorter.done(name)
        ready.update(sorter.get_ready())
    return ordered


def _unknown_source(table: Table, source: str, tables: Mapping[str, Table]) -> str:
    nearest = difflib.get_close_matches(source, [*tables, KAFKA], n=1, cutoff=0.0)
    return f"{table.name}: reads '{source}', which is no table; did you mean '{nearest[0]}'?"


def plan(config: Config, tables: Mapping[str, Table]) -> str:
    """What would run and with which settings: tables in order, then the configuration in force, secrets hidden."""
    ordered = order(tables)
    cells = [
        (table.name, f"one row per {_row_of(table)}", table.owner, "reads " + ", ".join(table.reads))
        for table in ordered
    ]
    widths = [max(len(row[i]) for row in cells) if cells else 0 for i in range(3)]
    lines = ["Tables, in flow order:"]
    for number, row in enumerate(cells, start=1):
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append(f"{number:>3}  {padded}  {row[3]}".rstrip())
    return "\n".join([*lines, "", "Configuration in force:", *_settings(dataclasses.asdict(config))])


def _row_of(table: Table) -> str:
    return table.grain.removeprefix("one row per ")


def _settings(node: Mapping[str, Any], section: str = "") -> list[str]:
    lines = []
    for key, value in node.items():
        if section == "identity" and key == "rules":
            lines += _settings(value, "identity")
        elif isinstance(value, Mapping) and value:
            lines += _settings(value, f"{section}.{key}".lstrip("."))
        else:
            lines.append(f"  {section}.{key} = {shown(key, _plain(value))}")
    return lines


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
