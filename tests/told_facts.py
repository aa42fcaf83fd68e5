"""Facts of no person, at random, and what of them must hold, in plain Python."""

import random
from collections.abc import Sequence

from lakehouse.events.facts import Availability, ExperimentStart, Fact


def random_facts(seed: int, count: int) -> list[Fact]:
    """Few subjects and few times, so that facts meet, also at one millisecond."""
    choose = random.Random(seed)
    told: list[Fact] = []
    for _ in range(count):
        at_ms = 1_795_774_800_000 + choose.randrange(6)
        if choose.random() < 0.5:
            name, is_available = f"p{choose.randrange(3)}", choose.random() < 0.5
            told.append(Availability(product_id=name, is_available=is_available, at_ms=at_ms))
        else:
            name, weight = f"x{choose.randrange(3)}", float(choose.randrange(1, 4))
            told.append(start(name, weight, at_ms))
    return told


def start(name: str, weight: float, at_ms: int) -> ExperimentStart:
    arms = (("a", 1.0), ("b", weight))
    return ExperimentStart(experiment=name, layer="l", buckets=(0, 5000), salt="", arms=arms, at_ms=at_ms)


def expected(told: Sequence[Fact]) -> dict[str, Fact]:
    """By subject, in plain Python: the latest word on stock, the first start."""
    held: dict[str, Fact] = {}
    for fact in sorted(told, key=lambda f: (f.at_ms, isinstance(f, Availability) and not f.is_available)):
        if isinstance(fact, Availability):
            held[fact.product_id] = fact
        elif (known := held.get(fact.experiment)) is None or (
            isinstance(known, ExperimentStart) and known.at_ms == fact.at_ms and fact.fingerprint < known.fingerprint
        ):
            held[fact.experiment] = fact
    return held
