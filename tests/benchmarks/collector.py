"""The collector's throughput: batches of 100, of 20, and single events over 256 connections, each answered once Kafka has acknowledged it.

    ./spark-submit.sh tests/benchmarks/collector.py [--seconds 10] [--only single]

A closed loop: a connection sends its next request when the last one is answered. Counted is what the service and the broker spend, not what the
load spends, and events are given for a second of that CPU, too: on a machine that others use, that is the figure that holds still.

RudderStack's gateway is the anchor: events a second that it stores in PostgreSQL on two cores, as issue 18 has them.
"""

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.kafka import broker
from tests.benchmarks.machine import machine
from tests.benchmarks.spool import place
from tests.serving.served import serving

WARM_UP_SECONDS = 2.0
VISITORS, BODIES, SEED = 5_000, 500, 7
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Case:
    """How many events a request has, over how many connections, and what RudderStack's gateway takes of it, least and most."""

    events: int
    connections: int
    anchor_per_second: tuple[int, int]


CASES = {
    "batch of 100": Case(100, 32, (26_000, 32_000)),
    "batch of 20": Case(20, 64, (16_000, 20_000)),
    "single": Case(1, 256, (8_400, 8_400)),
}
ANCHOR_P99_MS = 81  # of batches of 100


def event(number: int, choose: random.Random) -> dict[str, object]:
    """As analytics.js sends it: about 800 bytes."""
    product = f"kit-{choose.randrange(1_000):03}"
    page = {
        "path": f"/{product}",
        "url": f"https://shop.example.com/{product}",
        "title": "Kit",
        "referrer": "",
        "search": "",
    }
    return {
        "messageId": f"ajs-next-{number:020}-{choose.getrandbits(64):016x}",
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": f"a-{choose.randrange(VISITORS):030}",
        "originalTimestamp": "2026-03-01T12:00:00.000Z",
        "properties": {"product_id": product, "category": "kits", "price": 19.9, "currency": "EUR", "position": number},
        "context": {
            "page": page,
            "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
            "locale": "en-GB",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
        },
        "integrations": {},
    }


def requests(case: Case) -> list[bytes]:
    """Whole requests, sent over and over."""
    choose, made = random.Random(SEED), []
    for number in range(BODIES):
        events = [event(number * case.events + index, choose) for index in range(case.events)]
        path, body = ("/v1/track", events[0]) if case.events == 1 else ("/v1/batch", {"batch": events})
        text = json.dumps(body | {"writeKey": "dev", "sentAt": "2026-03-01T12:00:01.000Z"}, separators=(",", ":"))
        made.append(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())
    return made


class Connection(asyncio.Protocol):
    """Sends until told to end; notes how long each answer took."""

    def __init__(self, sent: list[bytes], first: int, milliseconds: list[float], statuses: "Counter[bytes]") -> None:
        self._sent, self._next = sent, first
        self._milliseconds, self._statuses = milliseconds, statuses
        self._buffer = bytearray()
        self._at = 0.0
        self.is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self._send()

    def _send(self) -> None:
        self._at = time.perf_counter()
        self._transport.write(self._sent[self._next % len(self._sent)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer.clear()
        self._milliseconds.append((time.perf_counter() - self._at) * 1000)
        self._statuses[head[9:12]] += 1
        if self.is_over:
            self._transport.close()
        else:
            self._send()


def _itself(connection: Connection) -> Connection:
    return connection


@dataclass(frozen=True)
class Found:
    milliseconds: list[float]
    statuses: "Counter[bytes]"
    seconds: float
    cpu_seconds: dict[str, float]


async def under_load(port: int, case: Case, seconds: float, pids: dict[str, int]) -> Found:
    """What came of it after the warm-up."""
    loop, sent = asyncio.get_running_loop(), requests(case)
    milliseconds: list[float] = []
    statuses: Counter[bytes] = Counter()
    made = [Connection(sent, number * 7, milliseconds, statuses) for number in range(case.connections)]
    for connection in made:
        await loop.create_connection(partial(_itself, connection), "127.0.0.1", port)
    await asyncio.sleep(WARM_UP_SECONDS)
    milliseconds.clear()
    statuses.clear()
    before, started = spent(pids), time.perf_counter()
    await asyncio.sleep(seconds)
    took, after = time.perf_counter() - started, spent(pids)
    found = Found(list(milliseconds), Counter(statuses), took, {name: after[name] - before[name] for name in pids})
    for connection in made:
        connection.is_over = True
    await asyncio.sleep(1.0)
    return found


def spent(pids: dict[str, int]) -> dict[str, float]:
    """Seconds of CPU of each process so far."""
    texts = {name: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for name, pid in pids.items()}
    return {name: sum(map(int, text[11:13])) / _TICKS for name, text in texts.items()}


def figures(case: Case, found: Found) -> dict[str, object]:
    events = found.statuses[b"200"] * case.events
    cpu = sum(found.cpu_seconds.values())
    return {
        "events_per_second": round(events / found.seconds),
        "events_per_cpu_second": round(events / cpu),
        "p50_ms": round(float(np.quantile(found.milliseconds, 0.5)), 1),
        "p99_ms": round(float(np.quantile(found.milliseconds, 0.99)), 1),
        "microseconds_of_cpu_per_event": {
            name: round(seconds / events * 1e6, 1) for name, seconds in found.cpu_seconds.items()
        },
        "not_taken": found.statuses.total() - found.statuses[b"200"],
        "anchor_events_per_second": case.anchor_per_second,
        "anchor_events_per_cpu_second": [round(each / 2) for each in case.anchor_per_second],
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="collector")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args(argv)
    told: dict[str, object] = {}
    with place() as config, serving(config) as (address, server):
        running = broker.status(config)
        assert running is not None
        pids = {"service": server.pid, "broker": running.pid}
        port = int(address.rpartition(":")[2])
        for name, case in CASES.items():
            if arguments.only in name:
                told[name] = figures(case, uvloop.run(under_load(port, case, arguments.seconds, pids)))
                print(name, told[name], flush=True)
    print(json.dumps({"benchmark": "collector", "anchor_p99_ms": ANCHOR_P99_MS, "cases": told} | machine(load())))


if __name__ == "__main__":
    run(main)
