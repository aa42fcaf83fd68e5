"""What a simulated stream truly holds: who sent each message, each order's money, each planted fault.

Written beside the lake, never into it. Real sources have no truth.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import SourceError

IDENTIFIER_TYPES = ("user_id", "email", "phone", "loyalty_id", "device_id", "anonymous_id")
# Values of one message by IDENTIFIER_TYPES, normalised (e-mail lower case, phone E.164); null = not carried.
Bundle = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
BOT = "bot"


@dataclass(frozen=True, slots=True)
class Unit:
    """One person's use of one bundle of identifiers: an actor, counted once for each person who carries it."""

    person_id: str
    bundle: Bundle


@dataclass(slots=True)
class OrderTruth:
    """One order. Money in cents; `refunded_cents` of the whole order at most."""

    person_id: str
    ordered_at_ms: int
    cents: int
    refunded_cents: int = 0


@dataclass(slots=True)
class FaultTruth:
    """One kind of planted fault. `reason`: expected quarantine reason, null = to be accepted. Null ids: not readable."""

    reason: str | None
    count: int = 0
    message_ids: list[str | None] = field(default_factory=list)


@dataclass
class Truth:
    """Filled while a source yields; complete when it is exhausted.

    produced = accepted messages (`unit_of`) + `duplicates` + rejected faults. `occurred_at_ms`: true time of a message;
    Segment's formula gives it plus the network's latency, under a second.
    """

    seed: int
    produced: int = 0
    duplicates: int = 0
    behaviours: dict[str, str] = field(default_factory=dict)  # person_id -> behaviour
    units: list[Unit] = field(default_factory=list)
    unit_of: dict[str, int] = field(default_factory=dict)  # message_id -> index into units; accepted messages
    occurred_at_ms: dict[str, int] = field(default_factory=dict)  # message_id -> true time
    orders: dict[str, OrderTruth] = field(default_factory=dict)  # order_id -> order
    faults: dict[str, FaultTruth] = field(default_factory=dict)  # kind -> fault
    _unit_index: dict[tuple[str, Bundle], int] = field(default_factory=dict, repr=False)

    def add_message(self, message_id: str, person_id: str, bundle: Bundle, occurred_at_ms: int) -> None:
        """An accepted message. Its person must be in `behaviours`."""
        unit = self._unit_index.get((person_id, bundle))
        if unit is None:
            unit = self._unit_index[person_id, bundle] = len(self.units)
            self.units.append(Unit(person_id, bundle))
        self.unit_of[message_id] = unit
        self.occurred_at_ms[message_id] = occurred_at_ms

    def add_fault(self, kind: str, reason: str | None, message_id: str | None) -> None:
        fault = self.faults.setdefault(kind, FaultTruth(reason))
        fault.count += 1
        fault.message_ids.append(message_id)

    def rejected(self) -> dict[str, int]:
        """Expected records in quarantine by reason."""
        counts: dict[str, int] = {}
        for fault in self.faults.values():
            if fault.reason is not None:
                counts[fault.reason] = counts.get(fault.reason, 0) + fault.count
        return counts

    def orders_of_people(self) -> dict[str, tuple[int, int]]:
        """person_id -> (distinct orders, net revenue in cents); only people with orders."""
        found: dict[str, tuple[int, int]] = {}
        for order in self.orders.values():
            n, cents = found.get(order.person_id, (0, 0))
            found[order.person_id] = (n + 1, cents + order.cents - order.refunded_cents)
        return found


def write_truth(truth: Truth, path: str | Path) -> None:
    """Write messages, units, people and orders as Parquet and summary.json into the folder `path`."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / "messages.parquet",
        message_id=list(truth.unit_of),
        unit=list(truth.unit_of.values()),
        occurred_at_ms=[truth.occurred_at_ms[message_id] for message_id in truth.unit_of],
    )
    columns: dict[str, list[Any]] = {"person_id": [unit.person_id for unit in truth.units]}
    for position, name in enumerate(IDENTIFIER_TYPES):
        columns[name] = [unit.bundle[position] for unit in truth.units]
    _write(folder / "units.parquet", **columns)
    orders, people = truth.orders, truth.orders_of_people()
    _write(
        folder / "people.parquet",
        person_id=list(truth.behaviours),
        behaviour=list(truth.behaviours.values()),
        orders=[people.get(person, (0, 0))[0] for person in truth.behaviours],
        net_cents=[people.get(person, (0, 0))[1] for person in truth.behaviours],
    )
    _write(
        folder / "orders.parquet",
        order_id=list(orders),
        person_id=[order.person_id for order in orders.values()],
        ordered_at_ms=[order.ordered_at_ms for order in orders.values()],
        cents=[order.cents for order in orders.values()],
        refunded_cents=[order.refunded_cents for order in orders.values()],
    )
    summary = {
        "seed": truth.seed,
        "produced": truth.produced,
        "accepted": len(truth.unit_of),
        "duplicates": truth.duplicates,
        "rejected": truth.rejected(),
        "faults": {
            kind: {"reason": fault.reason, "count": fault.count, "message_ids": fault.message_ids}
            for kind, fault in truth.faults.items()
        },
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def read_truth(path: str | Path) -> Truth:
    """The truth `write_truth` wrote.

    Raises:
        SourceError: when a file is missing.
    """
    folder = Path(path)
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        messages, units, people, orders = (
            pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("messages", "units", "people", "orders")
        )
    except FileNotFoundError as error:
        raise SourceError(
            f"truth: incomplete, got no {Path(error.filename or folder).name} in {folder}, expected what the shop "
            "source writes. Run demo --source shop"
        ) from error
    truth = Truth(seed=summary["seed"], produced=summary["produced"], duplicates=summary["duplicates"])
    truth.behaviours = dict(zip(people["person_id"], people["behaviour"], strict=True))
    bundles = zip(*(units[name] for name in IDENTIFIER_TYPES), strict=True)
    truth.units = [Unit(person, bundle) for person, bundle in zip(units["person_id"], bundles, strict=True)]
    truth.unit_of = dict(zip(messages["message_id"], messages["unit"], strict=True))
    truth.occurred_at_ms = dict(zip(messages["message_id"], messages["occurred_at_ms"], strict=True))
    rows = zip(*(orders[name] for name in ("person_id", "ordered_at_ms", "cents", "refunded_cents")), strict=True)
    truth.orders = {order_id: OrderTruth(*row) for order_id, row in zip(orders["order_id"], rows, strict=True)}
    truth.faults = {kind: FaultTruth(**fault) for kind, fault in summary["faults"].items()}
    truth._unit_index.update({(unit.person_id, unit.bundle): n for n, unit in enumerate(truth.units)})
    return truth


def _write(path: Path, **columns: list[Any]) -> None:
    pq.write_table(pa.table(columns), path)
