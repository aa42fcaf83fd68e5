"""Milliseconds from an event's due time to the decision it led to, received by a WebSocket client; the durable path beside it.

    ./spark-submit.sh tests/benchmarks/push.py [--visitors 600] [--rate 50] [--warm-up 45]

Everything `up` runs for it is there and real: broker, lane, streaming driver, server, online store. Each visitor listens on
a connection of their own, has viewed one product, and now views a second one: the rule of conf/rules.yaml that holds then
needs the profile store and the view before. Open loop, as in lane.py.
"""

import argparse
import asyncio
import json
import os
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from lakehouse.commands.supervisor import topics
from lakehouse.config import Config, load
from lakehouse.job import run
from lakehouse.kafka import admin
from lakehouse.spark.scratch import scratch_config
from tests.benchmarks.decisions import BOTH_CORES, serving
from tests.benchmarks.lane import QUANTILES, STOP_SECONDS, driver, send
from tests.benchmarks.machine import machine

FIRST_VIEWS_PER_SECOND = 100.0
Received = dict[str, list[float]]


async def listen(port: int, visitor: str, received: Received, connected: asyncio.Semaphore) -> None:
    """Until cancelled."""
    async with connect(f"ws://127.0.0.1:{port}/ws?identifier_type=anonymous_id&value={visitor}") as socket:
        connected.release()
        async for _ in socket:
            received[visitor].append(time.time())


async def measure(config: Config, port: int, visitors: int, rate: float) -> dict[str, float]:
    received: Received = defaultdict(list)
    connected = asyncio.Semaphore(0)
    names = [f"visitor-{number}" for number in range(visitors)]
    listeners = [asyncio.create_task(listen(port, name, received, connected)) for name in names]
    for _ in listeners:
        await connected.acquire()
    await asyncio.to_thread(send, config, FIRST_VIEWS_PER_SECOND, visitors, "first", {}, names.__getitem__)
    due: dict[str, float] = {}
    await asyncio.to_thread(send, config, rate, visitors, "second", due, names.__getitem__)
    patience = time.time() + STOP_SECONDS
    while sum(map(len, received.values())) < visitors and time.time() < patience:
        await asyncio.sleep(0.1)
    for listener in listeners:
        listener.cancel()
    told = [(1000 * (received[name][0] - due[f"second-{n}"])) for n, name in enumerate(names) if received[name]]
    waits = np.array(told) if told else np.array([np.inf])
    found = {f"{name}_ms": round(float(np.quantile(waits, q)), 2) for name, q in QUANTILES.items()}
    return {
        "decisions": visitors,
        "lost": visitors - len(told),
        "repeated": sum(map(len, received.values())) - len(told),
    } | found


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="push")
    parser.add_argument("--visitors", type=int, default=600)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--warm-up", type=float, default=45.0)
    options = parser.parse_args(argv)
    with ExitStack() as stack:
        config = stack.enter_context(scratch_config(load(), "push"))
        root = Path(config.lake.root).parent
        for topic in topics(config):
            admin.create_topic(config.kafka, topic, config.kafka.partitions)
        stack.enter_context(driver(config, root / "lane.log", "--driver-memory", "1g", "streaming/decisions.py"))
        stack.enter_context(driver(config, root / "streaming.log", "streaming"))
        port = stack.enter_context(serving(config, f"lmdb://{config.lake.root}/_online", cores=BOTH_CORES))
        send(
            config, options.rate, int(options.rate * options.warm_up), "warm", {}, lambda number: f"warm-{number % 97}"
        )
        found = asyncio.run(measure(config, port, options.visitors, options.rate))
    told = {"benchmark": "push", "rate": options.rate, "load_average": os.getloadavg()[0]}
    print(json.dumps(told | found | machine(config)))


if __name__ == "__main__":
    run(main)
