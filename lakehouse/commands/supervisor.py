"""`up` and `down`: the broker and every process of one lake, kept running together until stopped.

`up` stays in the foreground and says `ready` once all of it answers. A part that ends by itself is started again after a pause, and the
rest runs on. Where another try is no use, `up` ends. It notes itself and its children under `<lake.root>/_run`, so that `down`, from
anywhere, stops exactly those, also after `up` itself was killed.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lakehouse import job, machine
from lakehouse.commands.parts import SETTLED_SECONDS, STOP_SECONDS, Child, ChildProcess, Ending, OwnBroker, Part
from lakehouse.config import Config
from lakehouse.config.kafka_options import is_secured
from lakehouse.errors import BrokerError, LakeError, StitchlakeError
from lakehouse.kafka import admin, broker
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.server import HOST
from lakehouse.kafka.topics import event_topics

LOOK_SECONDS = 0.2
_UP_MARK = "lakehouse.commands up"
log = logging.getLogger("stitchlake.up")


@dataclass(frozen=True, kw_only=True)
class Noted:
    """What `up` started: itself, its children (pid and command line, in order), and whether the broker is its own."""

    up: int
    children: list[tuple[int, str]]
    owns_broker: bool


def up(config: Config, children: Sequence[Child]) -> int:
    """Run the broker and the children until SIGTERM, Ctrl-C or `down`. They are stopped in the order given.

    Raises:
        LakeError: the lake is remote or is up already.
        StitchlakeError: one ended by itself, and another try is no use; its own message came before.
    """
    noted = _noted(config)
    if noted is not None:
        if _UP_MARK in (machine.command_of(noted.up) or ""):
            raise LakeError(
                f"{config.lake.root}: is up already, got pid {noted.up}, expected none. Stop it with ./spark-submit.sh down"
            )
        _stop_children(noted)  # an `up` that was killed left them
    has_own = broker.status(config) is not None and noted is not None and noted.owns_broker
    owns_broker = has_own or _needs_broker(config)
    try:
        kafka: Cluster = broker.start(config) if owns_broker else broker.reachable(config).kafka
        for topic in topics(config):
            admin.create_topic(kafka, topic, config.kafka.partitions)
        return _run(config, children, kafka.bootstrap_servers, owns_broker=owns_broker)
    finally:
        if owns_broker:
            broker.stop(config)
        _file(config).unlink(missing_ok=True)


def topics(config: Config) -> tuple[str, ...]:
    """Every topic of Stitchlake that has a name."""
    return (
        *event_topics(config.kafka).names,
        config.decisions.topic,
        config.decision_log.topic,
        config.online_store.changes_topic,
        config.actions.topic,
        config.actions.dead_topic,
    )


def down(config: Config) -> bool:
    """Stop what `up` started; True when something was running. Other processes are left alone."""
    noted = _noted(config)
    if noted is None:
        return False
    stopped = machine.stop_process(noted.up, _UP_MARK, patience_seconds=(1 + len(noted.children)) * STOP_SECONDS)
    noted = _noted(config) or noted  # it may have started one again since
    stopped |= _stop_children(noted)
    stopped |= noted.owns_broker and broker.stop(config)
    _file(config).unlink(missing_ok=True)
    return stopped


def _stop_children(noted: Noted) -> bool:
    """Whether one was running."""
    running = [machine.stop_process(pid, mark, patience_seconds=STOP_SECONDS) for pid, mark in noted.children]
    return any(running)


def _run(config: Config, children: Sequence[Child], servers: str, *, owns_broker: bool) -> int:
    lifeline, own_end = os.pipe()  # own_end is inherited by nobody
    environ = {"STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": servers}
    processes = [ChildProcess(child, environ, lifeline) for child in children]
    own_broker = OwnBroker(config)
    running: list[ChildProcess] = []

    def note() -> None:
        pids = [(process.pid, process.child.mark) for process in running]
        _write(_file(config), json.dumps(vars(Noted(up=os.getpid(), children=pids, owns_broker=owns_broker))))

    try:
        for process in processes:
            process.start()
            running.append(process)
            note()
        _keep([own_broker, *processes] if owns_broker else processes, note)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or SIGTERM by `down`
        return 0
    finally:
        for process in running:
            process.stop()
        os.close(own_end)
        os.close(lifeline)


def _keep(parts: Sequence[Part], note: Callable[[], None]) -> NoReturn:
    """Start again what ends, until one is given up. `note` is called after each start. READY is said once, when all have said it.

    Raises:
        StitchlakeError: one was given up.
    """
    has_told = False
    while True:
        for part in parts:
            if _has_started(part, time.monotonic()):
                note()
        if not has_told and all(part.restarts.has_worked for part in parts):
            has_told = True
            print(job.READY, flush=True)
        time.sleep(LOOK_SECONDS)


def _has_started(part: Part, now: float) -> bool:
    """Whether it was started just now: it had ended, and was due."""
    restarts = part.restarts
    if restarts.due is None:
        ending = part.ended()
        if part.ready_at is not None:
            restarts.has_worked = True
        if ending is None:
            return False
        if part.ready_at is not None and now - part.ready_at >= SETTLED_SECONDS:
            restarts.worked()
    elif now < restarts.due:
        return False
    else:
        try:
            part.start()
        except BrokerError as error:
            ending = Ending(str(error))
        else:
            restarts.due = None
            return True
    told = f"{part.name}: ended by itself, got {ending.told}, expected to run until stopped"
    if ending.is_final or not restarts.fail(now):
        raise StitchlakeError(f"{told}. See the line above, mend the cause and start again")
    assert restarts.due is not None
    log.warning("%s. Started again in %.0f s", told, restarts.due - now)
    return False


def _needs_broker(config: Config) -> bool:
    """Whether the configured broker is to be a local one that nobody has started; that asks for no password."""
    kafka = config.kafka
    is_here = kafka.bootstrap_servers.rpartition(":")[0] in (HOST, "localhost")
    return is_here and not is_secured(kafka.options) and broker.status(config) is None and not admin.answers(kafka)


def _file(config: Config) -> Path:
    lake = machine.local_folder(config.lake.root)
    if lake is None:
        raise LakeError(
            f"lake.root: got '{config.lake.root}', expected a local folder for up and down. On an object store start each query "
            "by its own ./spark-submit.sh streaming/<query>.py"
        )
    return lake / "_run" / "up.json"


def _noted(config: Config) -> Noted | None:
    try:
        stored = json.loads(_file(config).read_text(encoding="utf-8"))
        children = [(int(pid), str(mark)) for pid, mark in stored["children"]]
        return Noted(up=stored["up"], children=children, owns_broker=stored["owns_broker"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)  # `down` never reads half of it
