"""Facts of no person: what can be bought, and what an experiment began with. The decision service tells them, nobody else may.

A fact is a record of the events topic, so that the archive has it and a rebuild finds it. It is no event: it has no identifier, belongs
to no profile, and is kept in a table of its own (fact_tables.py). The order of arrival does not matter, for each says its own time:

    product_availability    of a product the latest holds; of two of one millisecond the one that it cannot be bought
    experiment_start        of an experiment the first holds, for ever; of two of one millisecond the smaller fingerprint

Each is told twice: to the online store, from where decisions read it at once, as a document whose version is that order; and to Kafka.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeGuard

import orjson

from lakehouse.config.limits import BUCKETS
from lakehouse.events import reasons as R
from lakehouse.events.clock import instant
from lakehouse.events.document import object_at, text_at
from lakehouse.events.envelope import EXPERIMENT_START, PRODUCT_AVAILABILITY
from lakehouse.events.schema import TEXTS
from lakehouse.events.verdict import fault
from lakehouse.kafka.message import routing_key

_SENDER = {"library": {"name": "stitchlake"}}
_EPOCH = datetime.fromtimestamp(0, UTC)
_LONGEST = TEXTS["product_id"].limit  # characters of an id or a name


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a product can be bought, as of `at_ms`, milliseconds since 1970."""

    type: ClassVar[str] = PRODUCT_AVAILABILITY
    product_id: str
    is_available: bool
    at_ms: int

    @property
    def properties(self) -> dict[str, Any]:
        return {"product_id": self.product_id, "is_available": self.is_available}


@dataclass(frozen=True, kw_only=True)
class ExperimentStart:
    """What decides who is in which arm, as it was at `at_ms`, milliseconds since 1970. arms: names and weights."""

    type: ClassVar[str] = EXPERIMENT_START
    experiment: str
    layer: str
    buckets: tuple[int, int]
    salt: str
    arms: tuple[tuple[str, float], ...]
    at_ms: int

    @property
    def fingerprint(self) -> str:
        """Another one, and somebody may be in another arm."""
        arms = [[name, float(weight)] for name, weight in self.arms]
        fixed = [self.experiment, self.layer, self.buckets, self.salt, arms]
        return hashlib.sha256(orjson.dumps(fixed)).hexdigest()[:16]

    @property
    def properties(self) -> dict[str, Any]:
        arms = [{"name": name, "weight": weight} for name, weight in self.arms]
        named = {"experiment": self.experiment, "layer": self.layer, "buckets": self.buckets, "salt": self.salt}
        return {**named, "arms": arms}


Fact = Availability | ExperimentStart


def record(fact: Fact) -> tuple[bytes, bytes]:
    """Key and value of the record that tells a fact; the same for the same fact."""
    at = (_EPOCH + timedelta(milliseconds=fact.at_ms)).isoformat(timespec="milliseconds")
    told = {"type": fact.type, "timestamp": at, "properties": fact.properties, "context": _SENDER}
    digest = hashlib.blake2b(orjson.dumps(told), digest_size=16).hexdigest()
    subject = fact.product_id if isinstance(fact, Availability) else fact.experiment
    return routing_key(None, None, subject), orjson.dumps({"messageId": digest, **told})


def written(fact: Fact) -> str:
    """A fact as `events.parse` hands it on in its column `fact`: JSON for fact_tables.py."""
    digest = {} if isinstance(fact, Availability) else {"fingerprint": fact.fingerprint}
    return orjson.dumps({**fact.properties, **digest, "at_ms": fact.at_ms}).decode()


def read(message: Mapping[str, Any]) -> Fact | str:
    """The fact a message of one of the types tells; a verdict where it tells none."""
    micros = instant(text_at(message, "timestamp"))
    if micros is None or micros < 0:
        return fault(R.INVALID_TIMESTAMP, "timestamp: ISO 8601 since 1970 expected")
    properties, at_ms = object_at(message, "properties"), micros // 1000
    if message.get("type") == PRODUCT_AVAILABILITY:
        return _availability(properties, at_ms)
    return _start(properties, at_ms)


def start_of(properties: Mapping[str, Any], at_ms: int) -> ExperimentStart | None:
    """Of ExperimentStart.properties; None for anything else."""
    found = _start(properties, at_ms)
    return found if isinstance(found, ExperimentStart) else None


def _availability(properties: Mapping[str, Any], at_ms: int) -> Availability | str:
    product_id, is_available = properties.get("product_id"), properties.get("is_available")
    if not _is_name(product_id):
        return _no("product_id", "an id")
    if not isinstance(is_available, bool):
        return _no("is_available", "true or false")
    return Availability(product_id=product_id, is_available=is_available, at_ms=at_ms)


def _start(properties: Mapping[str, Any], at_ms: int) -> ExperimentStart | str:
    experiment, layer, salt = (properties.get(name) for name in ("experiment", "layer", "salt"))
    buckets, arms = properties.get("buckets"), properties.get("arms")
    if not _is_name(experiment):
        return _no("experiment", "a name")
    if not _is_name(layer):
        return _no("layer", "a name")
    if not isinstance(salt, str):
        return _no("salt", "a text")
    if not isinstance(buckets, list) or len(buckets) != 2 or not all(map(_is_bucket, buckets)):
        return _no("buckets", "the first, and one past the last,")
    if not isinstance(arms, list) or not arms or not all(map(_is_arm, arms)):
        return _no("arms", "names and weights")
    return ExperimentStart(
        experiment=experiment,
        layer=layer,
        buckets=(buckets[0], buckets[1]),
        salt=salt,
        arms=tuple((arm["name"], float(arm["weight"])) for arm in arms),
        at_ms=at_ms,
    )


def _no(name: str, expected: str) -> str:
    return fault(R.WRONG_TYPE, f"properties.{name}: {expected} expected")


def _is_name(held: Any) -> TypeGuard[str]:
    return isinstance(held, str) and 0 < len(held) <= _LONGEST


def _is_bucket(held: Any) -> bool:
    return isinstance(held, int) and not isinstance(held, bool) and 0 <= held <= BUCKETS


def _is_arm(held: Any) -> bool:
    if not isinstance(held, dict) or not _is_name(held.get("name")):
        return False
    weight = held.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int | float | Decimal):
        return False
    return 0 < weight <= sys.float_info.max
