"""./spark-submit.sh serve: the process of collector, decision API and live page, until stopped.

Prints one line with the address once it answers.
"""

import asyncio
import gc
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from lakehouse.commands.supervisor import READY
from lakehouse.config import Config, load
from lakehouse.config.paths import EXPERIMENTS, OFFERS, RULES, serving_folder
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import BrokerError, StitchlakeError
from lakehouse.events.reader import Reader
from lakehouse.job import run
from lakehouse.kafka.broker import bootstrap_servers
from lakehouse.kafka.server import HOST
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.recent_entries import KEPT_MS, MOST_ENTRIES
from lakehouse.recommend.files import CURRENT
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import RuleBook, read_rules
from serving.app import Lifespan, create_app
from serving.deciding.lane_decisions import LaneDecisions
from serving.kafka.producer import KafkaOut
from serving.kafka.topic_reader import KafkaIn
from serving.service import Service
from serving.state.expiry import let_go
from serving.state.last_answers import LastAnswers
from serving.state.learned_policy import LearnedPolicy
from serving.state.pressure import Pressure
from serving.state.reloadable import Reloadable
from serving.state.running_experiments import read_running
from serving.state.sockets import Sockets
from serving.state.stock import Stock
from serving.telemetry import carrier, spans
from serving.visitors.pending import Pending
from serving.visitors.profile_changes import Changes
from serving.visitors.visitors import Visitors

log = logging.getLogger("stitchlake.serving")
_CONNECT_SECONDS = 2.0
_LOG_LINGER_MS = 50  # nobody waits for the decision log
_BACKLOG = 2048
_YOUNG_OBJECTS = 50_000
_SWITCH_SECONDS = 0.0005  # how long a thread may hold the interpreter while the loop waits for it


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_service(config: Config, *, clock: Callable[[], datetime] = utc_now) -> Service:
    """Everything an answer is made from; nothing of it is connected yet but the online store.

    Raises:
        StoreError: the online store cannot be opened.
    """
    store = open_store(store_url(config), timeout_ms=config.serving.deadline_ms)
    kept = open_kept_store(config) if store.is_embedded else store
    pending = Pending(store, keep=MOST_ENTRIES, keep_ms=KEPT_MS)
    facts = pending if kept is store else Pending(kept, keep=MOST_ENTRIES, keep_ms=KEPT_MS)
    visitors = Visitors(pending, facts, config)
    recommender_base = serving_folder(config) / "recommender"
    offers = Reloadable(OFFERS, read_catalogue)
    headers = carrier if config.serving.spans else list

    def read_rule_book(path: Path) -> RuleBook:
        catalogue = offers.current
        return read_rules(path, None if catalogue is None else catalogue.offers)

    return Service(
        config=config,
        clock=clock,
        store=store,
        kept=kept,
        pending=pending,
        facts=facts,
        reader=Reader(config),
        visitors=visitors,
        rules=Reloadable(RULES, read_rule_book, relies_on=[offers]),
        catalogue=offers,
        recommender=Reloadable(recommender_base / CURRENT, lambda _: Recommender.load_current(recommender_base)),
        experiments=Reloadable(EXPERIMENTS, lambda path: read_running(path, kept, clock())),
        stock=Stock(kept),
        changes=Changes(),
        policy=LearnedPolicy(config.serving, kept),
        out=KafkaOut(bootstrap_servers(config), headers),
        log=KafkaOut(bootstrap_servers(config), headers, linger_ms=_LOG_LINGER_MS),
        sockets=Sockets(),
        pressure=Pressure(config.serving.max_at_once),
        last_answers=LastAnswers(),
        span=spans("stitchlake-serving", is_on=config.serving.spans),
    )


def lifespan_of(service: Service) -> Lifespan:
    """What runs beside the requests, from the first to the last."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        sys.setswitchinterval(_SWITCH_SECONDS)
        config = service.config
        await asyncio.to_thread(service.stock.read)
        await asyncio.to_thread(service.visitors.look)
        await asyncio.to_thread(service.policy.learn, service.now_ms())
        for part in (service.rules, service.catalogue, service.recommender, service.experiments):
            part.look()
        handlers = {config.decisions.topic: LaneDecisions(service).handle}
        if config.online_store.publish_changes:
            handlers[config.online_store.changes_topic] = service.changes.handle
        incoming = KafkaIn(bootstrap_servers(config), handlers, loop, on_ready=lambda: _ready(service))
        incoming.start()
        tasks = [
            loop.create_task(_connect(service)),
            loop.create_task(service.stock.follow()),
            loop.create_task(service.visitors.follow()),
            loop.create_task(service.policy.follow(service.now_ms)),
            loop.create_task(let_go({service.store, service.kept}, service.now_ms)),
        ]
        gc.freeze()  # what is there for good need not be looked through while somebody waits
        gc.set_threshold(
            _YOUNG_OBJECTS
        )  # an answer leaves no cycles behind: looking for them less often saves a twentieth
        service.pressure.start(loop)
        try:
            yield
        finally:
            service.pressure.stop()
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(incoming.stop)
            await asyncio.to_thread(service.visitors.close)
            await asyncio.to_thread(service.pending.close)
            if service.facts is not service.pending:
                await asyncio.to_thread(service.facts.close)
                service.kept.close()
            await asyncio.to_thread(service.out.close)
            await asyncio.to_thread(service.log.close)
            service.store.close()

    return lifespan


def _ready(service: Service) -> None:
    service.is_listening.set()
    print(READY, flush=True)


async def _connect(service: Service) -> None:
    """Until the broker answers: the service begins without it, and says so."""
    config = service.config
    while not (service.out.is_connected and service.log.is_connected):
        try:
            await asyncio.to_thread(service.log.connect, (config.decision_log.topic,))
            await asyncio.to_thread(service.out.connect, (config.kafka.events_topic,))
        except BrokerError as error:
            log.warning("%s", error)
            await asyncio.sleep(_CONNECT_SECONDS)


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return _serve()
        case ["--worker", file] if file.isdecimal():
            _work(load(), socket.socket(fileno=int(file)))
            return 0
    raise StitchlakeError(
        f"serve: got '{' '.join(argv)}', expected no argument. Settings are in conf/base.toml: [serving]"
    )


def _serve() -> int:
    """One process, or several at one port; when one of several ends, all do."""
    config = load()
    listening = _listen(config.serving.port, config.serving.workers)
    print(f"serving at http://{HOST}:{listening[0].getsockname()[1]}", flush=True)
    if len(listening) == 1:
        _work(config, listening[0])
        return 0
    command = [sys.executable, "-m", "serving", "--worker"]
    workers = []
    for worker_socket in listening:
        with worker_socket:
            workers.append(subprocess.Popen([*command, str(worker_socket.fileno())], pass_fds=[worker_socket.fileno()]))
    try:
        os.wait()  # until the first of them ends
    finally:
        for worker in workers:
            worker.terminate()
        codes = [worker.wait() for worker in workers]
    return max(codes, key=abs)


def _work(config: Config, listening: socket.socket) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # an absent broker is told once, by us
    service = make_service(config)
    app = create_app(service, lifespan_of(service))
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
    )
    uvicorn.Server(settings).run(sockets=[listening])


def _listen(port: int, count: int) -> list[socket.socket]:
    """A socket for each process. The kernel deals connections out evenly to several sockets at one port; processes that wait at
    one socket do not: the one that wakes first takes all that are there.
    """
    alone = _bound(port)  # refused where anybody listens, which several at one port would not notice
    if count == 1:
        return [alone]
    with alone:
        port = alone.getsockname()[1]
    return [_bound(port, is_shared=True) for _ in range(count)]


def _bound(port: int, *, is_shared: bool = False) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        raise StitchlakeError(
            f"serving.port: {port} is taken ({error.strerror}), expected a free port. Set STITCHLAKE__SERVING__PORT"
        ) from error
    listening.listen(_BACKLOG)  # whoever connects from now on waits for the process that is to be ready
    return listening


if __name__ == "__main__":
    run(main)
