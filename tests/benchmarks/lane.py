"""Milliseconds from an event's due time to its candidate received from the decisions topic, under an open-loop load.

    ./spark-submit.sh tests/benchmarks/lane.py [--rates 50 500] [--seconds 30] [--warm-up 45] [--durable]

The lane is its own driver, started as `./spark-submit.sh streaming/decisions.py` starts it, with conf/rules.yaml in force.
Open loop: record n is due n / rate after the start, and its time counts from when it was due, whatever became of those
before it. `--durable`: `./spark-submit.sh streaming` runs beside it on the same machine and reads the same events.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from lakehouse.commands import launcher
from lakehouse.config import Config, load
from lakehouse.job import run
from lakehouse.kafka import admin
from lakehouse.spark.scratch import scratch_config
from tests.benchmarks.machine import machine

RULE = "second_view_of_a_product"  # of conf/rules.yaml: any view of a product that costs 50 or more is its candidate
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
STOP_SECONDS = 30
VISITORS = 997


@contextmanager
def driver(config: Config, log: Path, *words: str) -> Iterator[None]:
    """A job of ours in a process of its own, ready when it says so."""
    job = launcher.parse(list(words))
    environ = launcher.prepare(job) | {
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__DECISIONS__MODE": config.decisions.mode,
    }
    with log.open("w") as errors:
        process = subprocess.Popen(
            launcher.command(job), env=environ, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            assert process.stdout is not None
            if not any("ready" in line for line in process.stdout):
                raise SystemExit(f"{words[-1]}: ended before it was ready: {log.read_text()[-2000:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def message(number: int, run_name: str, visitor: str) -> bytes:
    product = (number + sum(run_name.encode())) % 100  # of each run others
    return orjson.dumps(
        {
            "messageId": f"{run_name}-{number}",
            "type": "track",
            "event": "Product Viewed",
            "anonymousId": visitor,
            "properties": {"product_id": f"ele-{product:03}", "price": 89.9, "category": "electronics"},
            "context": {"device": {"type": "mobile"}},
        }
    )


def send(
    config: Config,
    rate: float,
    count: int,
    run_name: str,
    due: dict[str, float],
    visitor_of: Callable[[int], str] = lambda number: f"visitor-{number % VISITORS}",
) -> None:
    """Views of products at `rate` a second, each by the visitor of its number."""
    producer = KafkaProducer(bootstrap_servers=config.kafka.bootstrap_servers, linger_ms=0, acks=1)
    start = time.time()
    for number in range(count):
        at = start + number / rate
        time.sleep(max(0.0, at - time.time()))
        due[f"{run_name}-{number}"] = at
        visitor = visitor_of(number)
        producer.send(config.kafka.events_topic, key=visitor.encode(), value=message(number, run_name, visitor))
    producer.flush()
    producer.close()


def measure(config: Config, consumer: KafkaConsumer, rate: float, seconds: float, run_name: str) -> dict[str, float]:
    """Quantiles in milliseconds of the first time each candidate came, and how many never did."""
    due: dict[str, float] = {}
    received: dict[str, float] = {}
    sender = Thread(target=send, args=(config, rate, int(rate * seconds), run_name, due), daemon=True)
    sender.start()
    patience = time.time() + seconds + STOP_SECONDS
    while (sender.is_alive() or len(received) < len(due)) and time.time() < patience:
        for records in consumer.poll(timeout_ms=200).values():
            now = time.time()
            for record in records:
                told = orjson.loads(record.value)
                if told["rule"] == RULE and told["message_id"].startswith(f"{run_name}-"):
                    received.setdefault(told["message_id"], now)
    waits = np.array([1000 * (at - due[message_id]) for message_id, at in received.items()])
    found = (
        {f"{name}_ms": round(float(np.quantile(waits, q)), 2) for name, q in QUANTILES.items()} if len(waits) else {}
    )
    return {"events": len(due), "lost": len(due) - len(received)} | found


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[50.0, 500.0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=45.0)
    parser.add_argument("--durable", action="store_true")
    options = parser.parse_args(argv)
    results: dict[str, object] = {}
    with ExitStack() as stack:
        config = stack.enter_context(scratch_config(load(), "lane"))
        root = Path(config.lake.root).parent
        admin.create_topic(config.kafka, config.decisions.topic, config.kafka.partitions)
        stack.enter_context(driver(config, root / "lane.log", "--driver-memory", "1g", "streaming/decisions.py"))
        if options.durable:
            stack.enter_context(driver(config, root / "streaming.log", "streaming"))
        consumer = KafkaConsumer(bootstrap_servers=config.kafka.bootstrap_servers, enable_auto_commit=False)
        stack.callback(consumer.close)
        consumer.assign([TopicPartition(config.decisions.topic, n) for n in range(config.kafka.partitions)])
        consumer.seek_to_end()
        measure(config, consumer, max(options.rates), options.warm_up, "warm")
        for rate in options.rates:
            found = measure(config, consumer, rate, options.seconds, f"at-{rate:g}")
            print(f"{rate:g} events/s: " + ", ".join(f"{name} {value}" for name, value in found.items()), flush=True)
            results |= {f"{name}_at_{rate:g}_per_second": value for name, value in found.items()}
    told = {"benchmark": "lane", "mode": config.decisions.mode, "durable_path_beside_it": options.durable}
    told |= {"seconds": options.seconds, "load_average": os.getloadavg()[0]}
    print(json.dumps(told | results | machine(config)))


if __name__ == "__main__":
    run(main)
