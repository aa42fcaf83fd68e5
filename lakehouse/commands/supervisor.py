"""`up` and `down`: the broker and every process of one lake, kept running together until stopped.

`up` stays in the foreground and says `ready` once all of it answers. It notes itself and its children under
`<lake.root>/_run`, so that `down`, from anywhere, stops exactly those, also after `up` itself was killed.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.errors import LakeError, StitchlakeError
from lakehouse.kafka import broker
from lakehouse.kafka.server import HOST

STOP_SECONDS = 40.0
_UP_MARK = "lakehouse.commands up"
READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process of `up`. It prints a line READY, alone, once it answers; its other lines are shown."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]

    @property
    def mark(self) -> str:
        return " ".join(self.command)


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
        StitchlakeError: a child ended by itself; its own message came before.
    """
    noted = _noted(config)
    if noted is not None and _UP_MARK in (machine.command_of(noted.up) or ""):
        raise LakeError(
            f"{config.lake.root}: is up already, got pid {noted.up}, expected none. Stop it with ./spark-submit.sh down"
        )
    owns_broker = _needs_broker(config)
    servers = broker.start(config).bootstrap_servers if owns_broker else broker.bootstrap_servers(config)
    try:
        for topic in topics(config):
            broker.create_topic(servers, topic, config.kafka.partitions)
        return _run(config, children, {"STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": servers}, owns_broker)
    finally:
        if owns_broker:
            broker.stop(config)
        _file(config).unlink(missing_ok=True)


def topics(config: Config) -> tuple[str, ...]:
    """Every topic of Stitchlake."""
    return (
        config.kafka.events_topic,
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
    for pid, mark in noted.children:
        stopped |= machine.stop_process(pid, mark, patience_seconds=STOP_SECONDS)
    stopped |= noted.owns_broker and broker.stop(config)
    _file(config).unlink(missing_ok=True)
    return stopped


def _run(config: Config, children: Sequence[Child], environ: Mapping[str, str], owns_broker: bool) -> int:
    lines: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
    running = [_start(child, environ, lines) for child in children]
    pids = [(process.pid, child.mark) for process, child in zip(running, children, strict=True)]
    noted = Noted(up=os.getpid(), children=pids, owns_broker=owns_broker)
    _write(_file(config), json.dumps(vars(noted)))
    try:
        ended = _follow(lines, {child.name for child in children})
        got = _ending(running[[child.name for child in children].index(ended)])
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or SIGTERM by `down`
        return 0
    finally:
        for pid, mark in pids:
            machine.stop_process(pid, mark, patience_seconds=STOP_SECONDS)
    raise StitchlakeError(f"{ended}: ended by itself, got {got}, expected to run until stopped. See the line above")


def _ending(process: "subprocess.Popen[str]") -> str:
    """How a child ended that closed its output. Asked before any is stopped: stopping collects exit codes too."""
    try:
        return f"exit code {process.wait(STOP_SECONDS)}"
    except subprocess.TimeoutExpired:
        return "its output closed"


def _start(
    child: Child, environ: Mapping[str, str], lines: "SimpleQueue[tuple[str, str | None]]"
) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        child.command,
        env={**child.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to hand on, in order: queries first, broker last
    )

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put((child.name, line))
        lines.put((child.name, None))

    Thread(target=read, name=f"output of {child.name}", daemon=True).start()
    return process


def _follow(lines: "SimpleQueue[tuple[str, str | None]]", awaited: set[str]) -> str:
    """Show what the children say, and READY once when all have said it; the name of the first that ends."""
    while True:
        name, line = lines.get()
        if line is None:
            return name
        if line.strip() != READY:
            print(line, end="", flush=True)
        elif name in awaited:
            awaited.remove(name)
            if not awaited:
                print(READY, flush=True)


def _needs_broker(config: Config) -> bool:
    """Whether the configured broker is to be a local one that nobody has started."""
    servers = config.kafka.bootstrap_servers
    is_here = servers.rpartition(":")[0] in (HOST, "localhost")
    return is_here and broker.status(config) is None and not broker.answers(servers)


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
    path.write_text(text, encoding="utf-8")
