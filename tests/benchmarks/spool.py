"""The broker killed under load, and the collector with it: no event that was acknowledged is lost, and each visitor's are in order. Exits 1 if not.

    ./spark-submit.sh tests/benchmarks/spool.py [--visitors 40] [--per-second 200] [--away 60]

Each visitor sends an event, waits for its answer, and sends the next; what is not answered by 200 is sent again, under its id. The broker is
killed by SIGKILL and is away for `away` seconds; half-way, the service is killed by SIGKILL, too, and started again on the same files. Order
is of the first copy of each event: readers take an id once.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lakehouse.commands.supervisor import topics
from lakehouse.config import Config, load
from lakehouse.job import run
from lakehouse.kafka import admin, broker
from lakehouse.machine import free_port
from lakehouse.online.engines import open_store
from tests.benchmarks.machine import machine
from tests.benchmarks.visitors import mark_filled, train_model
from tests.serving.served import ask, serving, until
from tests.serving.topic_values import values

STEADY_SECONDS = 10.0  # of load before the broker is killed, and after it is back
_AGAIN_SECONDS = 0.2
_ANSWER_SECONDS = 15.0


class Visitors:
    """The load. acknowledged: of each visitor, how many of their events, in order. slowest: milliseconds of every answer."""

    def __init__(self, port: int, count: int, per_second: float) -> None:
        self._port = port
        self._pause = count / per_second
        self._is_over = asyncio.Event()
        self.acknowledged: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.milliseconds: list[float] = []
        self._tasks = [asyncio.create_task(self._visit(f"v{number}")) for number in range(count)]

    async def end(self) -> None:
        self._is_over.set()
        await asyncio.gather(*self._tasks)

    async def _visit(self, name: str) -> None:
        number, connection = 0, None
        while not self._is_over.is_set():
            due = time.monotonic() + self._pause
            event = {"messageId": f"{name}-{number}", "anonymousId": name, "event": "Seen", "writeKey": "dev"}
            body = json.dumps(event).encode()
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    connection = connection or await asyncio.open_connection("127.0.0.1", self._port)
                    started = time.monotonic()
                    status = await _posted(*connection, body)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):  # the service is being killed
                connection, status = None, 0
            self.statuses[status] += 1
            if status == 200:
                self.milliseconds.append((time.monotonic() - started) * 1000)
                number += 1
                self.acknowledged[name] = number
            await asyncio.sleep(max(0.0, due - time.monotonic()) if status == 200 else _AGAIN_SECONDS)


async def _posted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    head = f"POST /v1/track HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(answer.partition(b"content-length:")[2].split()[0]))
    return int(answer[9:12])


@contextmanager
def place() -> Iterator[Config]:
    """A lake with a model, a broker of its own and every topic."""
    with tempfile.TemporaryDirectory() as folder:
        config = load("dev", environ={})
        config = dataclasses.replace(
            config,
            lake=dataclasses.replace(config.lake, root=f"{folder}/lake"),
            online_store=dataclasses.replace(config.online_store, url=f"lmdb://{folder}/online"),
            serving=dataclasses.replace(config.serving, port=free_port()),
        )
        train_model(config)
        store = open_store(config.online_store.url, timeout_ms=2000)
        mark_filled(store)
        store.close()
        running = broker.start(config, port=0)
        try:
            for topic in topics(config):
                admin.create_topic(running, topic, 1)
            yield broker.at(config, running)
        finally:
            broker.stop(config)


async def under_load(config: Config, count: int, per_second: float, away_seconds: float) -> Visitors:
    """Before, while and after the broker is away; until the spool is empty."""
    port = int(config.kafka.bootstrap_servers.rpartition(":")[2])
    with serving(config, port=config.serving.port) as (address, first):
        visitors = Visitors(config.serving.port, count, per_second)
        await asyncio.sleep(STEADY_SECONDS)
        running = broker.status(config)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        await asyncio.sleep(away_seconds / 2)
        spooled = ask(address, "/api/status")["spooled_bytes"]
        print(f"{spooled} bytes in the spool as the service is killed", flush=True)
        first.kill()
        first.wait()
    with serving(config, port=config.serving.port, is_connected=False) as (address, _):
        await asyncio.sleep(away_seconds / 2)
        await asyncio.to_thread(broker.start, config, port=port)
        await asyncio.to_thread(until, lambda: ask(address, "/api/status")["spooled_bytes"] == 0)
        await asyncio.sleep(STEADY_SECONDS)
        await visitors.end()
        until(lambda: ask(address, "/api/status")["spooled_bytes"] == 0)
    return visitors


def found(config: Config) -> tuple[dict[str, list[int]], int]:
    """Of each visitor the numbers of their events, each by its first copy; and how many copies there are besides."""
    numbers: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    again = 0
    for value in values(config.kafka.bootstrap_servers, config.kafka.events_topic):
        message_id = json.loads(value)["messageId"]
        if message_id in seen:
            again += 1
            continue
        seen.add(message_id)
        name, _, number = message_id.rpartition("-")
        numbers[name].append(int(number))
    return numbers, again


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="spool")
    parser.add_argument("--visitors", type=int, default=40)
    parser.add_argument("--per-second", type=float, default=200)
    parser.add_argument("--away", type=float, default=60)
    arguments = parser.parse_args(argv)
    with place() as config:
        visitors = asyncio.run(under_load(config, arguments.visitors, arguments.per_second, arguments.away))
        there, again = found(config)
        left = list(Path(config.lake.root).glob("_serving/spool/*.spool"))
    lost = sum(len(set(range(count)) - set(there[name])) for name, count in visitors.acknowledged.items())
    disordered = sum(numbers != sorted(numbers) for numbers in there.values())
    figures = {
        "acknowledged": visitors.acknowledged.total(),
        "lost": lost,
        "visitors_out_of_order": disordered,
        "in_kafka_again": again,
        "files_left": len(left),
        "statuses": dict(visitors.statuses),
        "p50_ms": round(float(np.quantile(visitors.milliseconds, 0.5)), 1),
        "p99_ms": round(float(np.quantile(visitors.milliseconds, 0.99)), 1),
        "most_ms": round(max(visitors.milliseconds), 1),
    }
    print(json.dumps({"benchmark": "spool", **figures} | machine(load())))
    return 1 if lost or disordered or left else 0


if __name__ == "__main__":
    run(main)
