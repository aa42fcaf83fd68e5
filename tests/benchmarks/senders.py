"""Libraries that need Node or a browser, as they are, against the served collector: how many of their calls are in Kafka, once.

    ./spark-submit.sh tests/benchmarks/senders.py --node FOLDER [--chromium PATH] [--calls 1000]

FOLDER has what `npm install @segment/analytics-node @segment/analytics-next @rudderstack/rudder-sdk-node @rudderstack/analytics-js` put
there. The browser loads a page of another origin, with the library as it is published; it asks for its settings and sends as it does
in a shop. `--only` runs those whose name holds a word.
"""

import argparse
import dataclasses
import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

from lakehouse.commands.supervisor import topics
from lakehouse.config import Config, load
from lakehouse.job import run
from lakehouse.kafka import admin, broker
from lakehouse.online.engines import open_store
from tests.benchmarks.machine import machine
from tests.benchmarks.visitors import mark_filled, train_model
from tests.serving.served import serving, until
from tests.serving.topic_values import values

NODE = {
    "@segment/analytics-node": """
        const { Analytics } = require("@segment/analytics-node");
        const [, , address, calls] = process.argv;
        const analytics = new Analytics({ writeKey: "dev", host: address });
        analytics.on("error", (error) => { console.error(error); process.exitCode = 1; });
        for (let number = 0; number < calls; number++)
          analytics.track({ userId: `u-${number}`, event: "Signed In", properties: { number } });
        analytics.closeAndFlush();
    """,
    "@rudderstack/rudder-sdk-node": """
        const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
        const [, , address, calls] = process.argv;
        const analytics = new RudderAnalytics("dev", { dataPlaneUrl: address, maxInternalQueueSize: 20000 });
        for (let number = 0; number < calls; number++)
          analytics.track({ userId: `u-${number}`, event: "Signed In", properties: { number } });
        analytics.flush().catch((error) => { console.error(error); process.exitCode = 1; });
    """,
}
PAGE = """<!doctype html><title>shop</title>
<script src="/@segment/analytics-next/dist/umd/index.js"></script>
<script src="/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"></script>
<script>
    const address = "ADDRESS", calls = CALLS;
    const each = (send) => Promise.all(Array.from({ length: calls }, (_, number) => send(number)));
    const load = (strategy) => AnalyticsNext.AnalyticsBrowser.load(
      { writeKey: "dev", cdnURL: address },
      { integrations: strategy ? { "Segment.io": { deliveryStrategy: strategy } } : {} });
    const track = (analytics, pause = 0) => each((number) =>
      pause ? setTimeout(() => analytics.track("Signed In", { number }), pause * number)
            : analytics.track("Signed In", { number }));
    const rudder = ({ queueOptions, ...options }, pause) => {  // beyond maxItems the library forgets calls itself: 100 in a row
      const analytics = new rudderanalytics.RudderAnalytics();
      const queue = { maxItems: calls, ...queueOptions };
      analytics.load("dev", address, { configUrl: address, queueOptions: queue, ...options });
      analytics.ready(() => track(analytics, pause));
    };
    SCRIPT
</script>"""
BROWSER = {
    "analytics.js": "track(load());",
    "analytics.js in batches": "track(load({ strategy: 'batching', config: { size: 30, timeout: 100 } }));",
    "RudderStack": "rudder({});",
    "RudderStack in batches": "rudder({ queueOptions: { batch: { enabled: true } } });",
    "RudderStack by beacon": "rudder({ useBeacon: true }, 10);",  # a beacon the browser refuses is lost to it: 64 KB on their way
    "sendBeacon of JSON": """
      const message = (number) => JSON.stringify({
        writeKey: "dev", anonymousId: "a", event: "Signed In", messageId: `beacon-${number}`, properties: { number } });
      const json = (number) => new Blob([message(number)], { type: "application/json" });
      each((number) => navigator.sendBeacon(address + "/v1/t", json(number)));
    """,
    "sendBeacon": """
      const message = (number) => JSON.stringify({
        writeKey: "dev", anonymousId: "a", event: "Signed In", messageId: `beacon-${number}`, properties: { number } });
      each((number) => navigator.sendBeacon(address + "/v1/t", message(number)));
    """,
}

BEACONS = 100  # a browser takes only so many bytes of them from a page


@contextmanager
def collector(config: Config) -> Iterator[tuple[str, Config]]:
    """A server on a topic of its own, and its configuration."""
    kafka = dataclasses.replace(config.kafka, events_topic=f"senders-{uuid4().hex[:8]}")
    config = dataclasses.replace(config, kafka=kafka)
    admin.create_topic(kafka, kafka.events_topic, 1)
    with serving(config) as (address, _):
        yield address, config


def counted(config: Config, calls: int, send: Callable[[str], None]) -> dict[str, float]:
    """What became of `calls` calls that `send` makes to an address."""
    with collector(config) as (address, served):
        servers, topic = served.kafka.bootstrap_servers, served.kafka.events_topic
        started = time.monotonic()
        send(address)
        until(lambda: len(values(servers, topic)) >= calls)
        seconds = time.monotonic() - started
        times = Counter(json.loads(value)["properties"]["number"] for value in values(servers, topic))
    there = sum(number in times for number in range(calls))
    return {
        "calls": calls,
        "there": there,
        "more_than_once": sum(n > 1 for n in times.values()),
        "seconds": round(seconds, 1),
    }


def by_node(folder: Path, script: str, calls: int, address: str) -> None:
    file = folder / f"senders-{uuid4().hex[:8]}.cjs"
    file.write_text(script)
    try:
        subprocess.run(["node", str(file), address, str(calls)], check=True, timeout=120)
    finally:
        file.unlink()


def by_browser(chromium: str, folder: Path, script: str, calls: int, config: Config) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as profile, shop(folder) as (origin, pages):
        browsers: list[subprocess.Popen[bytes]] = []

        def browse(address: str) -> None:
            page = PAGE.replace("SCRIPT", script).replace("ADDRESS", address).replace("CALLS", str(calls))
            pages["/"] = page.encode()
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
            browsers.append(subprocess.Popen([chromium, *options, origin], stderr=subprocess.DEVNULL))

        try:
            return counted(config, calls, browse)
        finally:
            for browser in browsers:
                browser.terminate()
                browser.wait()


@contextmanager
def shop(folder: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server of pages, by their paths, and of libraries: another origin than the collector's."""
    pages: dict[str, bytes] = {}

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages[self.path])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder / "node_modules")))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", pages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chosen(scripts: dict[str, str], word: str) -> list[tuple[str, str]]:
    """Those whose name holds the word."""
    return [(name, script) for name, script in scripts.items() if word in name]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="senders")
    parser.add_argument("--node", type=Path, required=True)
    parser.add_argument("--chromium")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args(argv)
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = load("dev", environ={})
        config = dataclasses.replace(
            config,
            lake=dataclasses.replace(config.lake, root=f"{folder}/lake"),
            online_store=dataclasses.replace(config.online_store, url=f"lmdb://{folder}/online"),
        )
        train_model(config)
        store = open_store(config.online_store.url, timeout_ms=2000)
        mark_filled(store)
        store.close()
        running = broker.start(config, port=0)
        try:
            kafka = dataclasses.replace(config.kafka, bootstrap_servers=running.bootstrap_servers)
            served = dataclasses.replace(config, kafka=kafka)
            for topic in topics(served):
                admin.create_topic(running, topic, 1)
            for name, script in chosen(NODE, arguments.only):
                send = partial(by_node, arguments.node.resolve(), script, arguments.calls)
                found[name] = counted(served, arguments.calls, send)
                print(name, found[name], flush=True)
            for name, script in chosen(BROWSER, arguments.only) if arguments.chromium else ():
                calls = min(arguments.calls, BEACONS) if name.startswith("sendBeacon") else arguments.calls
                found[name] = by_browser(arguments.chromium, arguments.node.resolve(), script, calls, served)
                print(name, found[name], flush=True)
        finally:
            broker.stop(config)
    print(json.dumps({"benchmark": "senders", "senders": found} | machine(load())))


if __name__ == "__main__":
    run(main)
