"""What runs beside the requests, from the first to the last: what is read before, who follows what, how all of it ends."""

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from lakehouse.errors import BrokerError
from lakehouse.job import READY
from lakehouse.kafka.broker import cluster
from serving.api.service_status import take
from serving.app import Lifespan
from serving.deciding.lane_decisions import LaneDecisions
from serving.kafka.topic_reader import Handle, KafkaIn
from serving.service import Service
from serving.state.expiry import let_go
from serving.state.standing_tasks import standing

log = logging.getLogger("stitchlake.serving")
_CONNECT_SECONDS = 2.0
# An answer leaves no cycles behind: looking for them less often than Python does saves a twentieth. At so many new objects, with those of
# three looks before, and at all of them as rarely as can be: a look is a pause, and a long one makes the process late.
_LOOKS_FOR_CYCLES = (10_000, 3, 30)
_SWITCH_SECONDS = 0.0005  # how long a thread may hold the interpreter while the loop waits for it


def lifespan_of(service: Service) -> Lifespan:
    """Of the app around the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        sys.setswitchinterval(_SWITCH_SECONDS)
        await _look(service)
        incoming = _incoming(service, loop)
        incoming.start()
        tasks = _beside(service, loop)
        gc.freeze()  # what is there for good need not be looked through while somebody waits
        gc.set_threshold(*_LOOKS_FOR_CYCLES)
        service.pressure.start(loop)
        try:
            yield
        finally:
            service.pressure.stop()
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(incoming.stop)
            await _close(service)

    return lifespan


async def _look(service: Service) -> None:
    """Read once what is followed from now on."""
    await asyncio.to_thread(service.tokens.look)
    await asyncio.to_thread(service.stock.read)
    await asyncio.to_thread(service.visitors.look)
    await asyncio.to_thread(service.policy.learn, service.now_ms())
    for part in (service.rules, service.catalogue, service.recommender, service.experiments):
        part.look()


def _incoming(service: Service, loop: asyncio.AbstractEventLoop) -> KafkaIn:
    """The topics that are read, and who takes what comes."""
    config, lane = service.config, LaneDecisions(service)
    changes_topic = config.online_store.changes_topic
    handlers: dict[str, Handle] = {
        config.decisions.topic: lambda records: lane.handle([record.value for record in records])
    }
    if config.online_store.publish_changes:
        handlers[changes_topic] = service.changes.handle
    return KafkaIn(
        cluster(config),
        handlers,
        loop,
        on_ready=lambda: _ready(service),
        on_begin={changes_topic: service.changes.begin},
    )


def _beside(service: Service, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "connecting": partial(_connect, service),
        "the spool": service.outbox.follow,
        "the provider's keys": service.tokens.follow,
        "products": service.stock.follow,
        "experiments": service.starts.follow,
        "visitors": service.visitors.follow,
        "the policy": partial(service.policy.follow, service.now_ms),
        "what has ended": partial(let_go, {service.store, service.kept}, service.now_ms),
        "meters": partial(service.meters.follow, partial(take, service)),
    }
    return [loop.create_task(standing(name, work)) for name, work in works.items()]


async def _close(service: Service) -> None:
    ends = (service.visitors, service.pending, service.facts, service.out, service.outbox, service.log)
    await asyncio.gather(*(asyncio.to_thread(part.close) for part in ends))  # each within a second or two
    service.reads.close()
    if service.kept is not service.store:
        service.kept.close()
    service.store.close()


def _ready(service: Service) -> None:
    service.is_listening.set()
    print(READY, flush=True)


async def _connect(service: Service) -> None:
    """Until the broker answers: the service begins without it, and says so."""
    config = service.config
    while not (service.out.is_connected and service.outbox.out.is_connected and service.log.is_connected):
        try:
            await asyncio.to_thread(service.log.connect, (config.decision_log.topic,))
            topics = (config.kafka.events_topic, *(door.topic for door in service.webhooks.values()))
            await asyncio.to_thread(service.outbox.out.connect, topics)
            await asyncio.to_thread(service.out.connect, topics)
        except BrokerError as error:
            log.warning("%s", error)
            await asyncio.sleep(_CONNECT_SECONDS)
