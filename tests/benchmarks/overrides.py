"""A thousand overrides at once, on small and large graphs: what takes them in, and what every later micro-batch pays for them.

    ./spark-submit.sh tests/benchmarks/overrides.py [--actors 22000 100000] [--overrides 1000] [--batch 2000]

Half are links of the devices of two random actors, half are unlinks of the devices of two actors that share an e-mail. They wait
as `identity link|unlink` leaves them; one call of the identity step, which no event brings, takes them in, and every one of them
must show in silver.identity_map. The clock runs from the waiting files to the last Delta commit and the index; `take_in` is the
part that decides which may stand. `growth` is the largest graph over the smallest. `batch_seconds` are medians of micro-batches
of `--batch` new actors, before and after.
"""

import argparse
import json
import random
import statistics
import time
from datetime import UTC, timedelta
from unittest import mock

from lakehouse.identity import override_store
from lakehouse.identity.overrides import NamedIdentifier, Override
from lakehouse.identity.reach import places
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.profiles.stitching.graph_facts import facts_of
from lakehouse.profiles.stitching.resolution import IdentityStep
from tests.benchmarks.identity import START, actor, build, leaves, scratch, strangers, timed_batch
from tests.benchmarks.machine import machine

BATCHES = 5  # before, and after
Wanted = tuple[str, int, int]
"""Action and the two actors."""


def devices(one: int, other: int) -> tuple[NamedIdentifier, ...]:
    return tuple(sorted(NamedIdentifier("device_id", f"device-{number}") for number in (one, other)))


def asked(count: int, overrides: int) -> list[Wanted]:
    """No actor is named twice, so that no link leads to another, and none whom the benchmark's new actors sign in to."""
    chance = random.Random(count)
    tens = chance.sample(range(count // 10), 2 * overrides)
    unlinks = [("unlink", 10 * ten, 10 * ten + 1) for ten in tens[: overrides // 2]]
    alone = [10 * ten + 5 for ten in tens[overrides // 2 :]]
    links = [("link", *alone[place : place + 2]) for place in range(0, 2 * (overrides - len(unlinks)), 2)]
    return [*unlinks, *links]


def ask(lake: Lake, wanted: list[Wanted]) -> None:
    for number, (action, one, other) in enumerate(wanted):
        at = (START + timedelta(days=50, seconds=number)).replace(tzinfo=UTC)
        made = Override(
            action=action, identifiers=devices(one, other), created_by="ann", reason="benchmark", created_at=at
        )
        override_store.ask(override_store.store_of(lake), made)


def unseen(step: IdentityStep, wanted: list[Wanted]) -> list[Wanted]:
    """Those that do not show in the index, which stands for the map."""
    found = places(step.index, [actor(number) for _, *pair in wanted for number in pair])
    profile = dict(zip(found["actor_id"], found["profile_id"], strict=True))
    return [
        (action, one, other)
        for action, one, other in wanted
        if (profile[actor(one)] == profile[actor(other)]) != (action == "link")
    ]


def measure(lake: Lake, count: int, overrides: int, size: int) -> dict[str, float]:
    build(lake, count)
    step, chance, batch_id = IdentityStep(lake), random.Random(count), iter(range(1_000))
    wanted = asked(count - size, overrides)

    def batches() -> float:
        took = []
        for _ in range(BATCHES):
            number = next(batch_id)
            first = count + number * size
            batch = leaves(lake, first, size, count, chance, strangers(range(count - size, count)))
            took.append(timed_batch(lake, step, batch, number))
        return statistics.median(took)

    before = batches()
    ask(lake, wanted)
    deciding = 0.0

    def take_in(*words: object) -> override_store.Taken:
        nonlocal deciding
        started = time.perf_counter()
        taken = plain_take_in(*words)
        deciding = time.perf_counter() - started
        return taken

    plain_take_in = override_store.take_in
    started = time.perf_counter()
    with mock.patch.object(override_store, "take_in", take_in):
        now = (START + timedelta(days=100, seconds=500)).replace(tzinfo=UTC)
        step.resolve_batch(facts_of(None), batch_id=-1, now=now)
    took = time.perf_counter() - started
    step.settle()
    missing = unseen(step, wanted)
    assert not missing, f"of {overrides} overrides these do not show: {missing[:5]}"
    after = batches()
    print(
        f"{count:>9,} actors: {overrides} overrides {took:.3f} s, take_in {deciding:.3f} s, batch {before:.3f} -> {after:.3f} s"
    )
    return {
        "seconds": round(took, 3),
        "take_in_seconds": round(deciding, 3),
        "batch_seconds_before": round(before, 3),
        "batch_seconds_after": round(after, 3),
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="overrides")
    parser.add_argument("--actors", type=int, nargs="+", default=[22_000, 100_000])
    parser.add_argument("--overrides", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=2_000)
    arguments = parser.parse_args(argv)
    by_size = {}
    for count in arguments.actors:
        with scratch("overrides") as lake:
            by_size[count] = measure(lake, count, arguments.overrides, arguments.batch)
    least, most = by_size[min(by_size)], by_size[max(by_size)]
    result = {
        "benchmark": "overrides",
        "overrides": arguments.overrides,
        "growth": round(most["seconds"] / least["seconds"], 2),
        "seconds": {str(count): one["seconds"] for count, one in by_size.items()},
        "by_actors": {str(count): one for count, one in by_size.items()},
        "batch_actors": arguments.batch,
        **machine(lake.config),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)
