"""`up` and `down`: the broker and the streaming queries of one lake, kept running together until stopped.

`up` stays in the foreground and says `ready` once all of it answers. It notes itself and its child under
`<lake.root>/_run`, so that `down`, from anywhere, stops exactly those, also after `up` itself was killed.
"""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from lakehouse import broker, machine
from lakehouse.broker_server import HOST
from lakehouse.config import Config
from lakehouse.errors import LakeError, StitchlakeError

STOP_SECONDS = 40.0
_UP_MARK = "lakehouse.command_line up"


@dataclass(frozen=True, kw_only=True)
class Processes:
    """What `up` started: itself, its streaming driver, and whether the broker is its own."""

    up: int
    streaming: int
    streaming_mark: str
    owns_broker: bool


def up(config: Config, streaming: list[str], environ: dict[str, str]) -> int:
    """Run broker and streaming until SIGTERM, Ctrl-C or `down`.

    `streaming`, `environ`: the command and environment of the streaming driver.

    Raises:
        LakeError: the lake is remote or is up already.
        StitchlakeError: the streaming driver ended by itself; its own message came before.
    """
    noted = _noted(config)
    if noted is not None and _UP_MARK in (machine.command_of(noted.up) or ""):
        raise LakeError(
            f"{config.lake.root}: is up already, got pid {noted.up}, expected none. Stop it with ./spark-submit.sh down"
        )
    owns_broker = _needs_broker(config)
    servers = broker.start(config).bootstrap_servers if owns_broker else broker.bootstrap_servers(config)
    try:
        broker.create_topic(servers, config.kafka.events_topic, config.kafka.partitions)
        return _run(config, streaming, environ | {"STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": servers}, owns_broker)
    finally:
        if owns_broker:
            broker.stop(config)
        _file(config).unlink(missing_ok=True)


def down(config: Config) -> bool:
    """Stop what `up` started; True when something was running. Other processes are left alone."""
    noted = _noted(config)
    if noted is None:
        return False
    was_up = machine.stop_process(noted.up, _UP_MARK, patience_seconds=2 * STOP_SECONDS)
    was_streaming = machine.stop_process(noted.streaming, noted.streaming_mark, patience_seconds=STOP_SECONDS)
    had_broker = noted.owns_broker and broker.stop(config)
    _file(config).unlink(missing_ok=True)
    return was_up or was_streaming or had_broker


def _run(config: Config, streaming: list[str], environ: dict[str, str], owns_broker: bool) -> int:
    child = subprocess.Popen(
        streaming,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to hand on, in order: queries first, broker last
    )
    mark = " ".join(streaming)
    noted = Processes(up=os.getpid(), streaming=child.pid, streaming_mark=mark, owns_broker=owns_broker)
    _write(_file(config), json.dumps(asdict(noted)))
    try:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)  # among them `ready`, once the queries run
        code = child.wait()
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or SIGTERM by `down`
        return 0
    finally:
        machine.stop_process(child.pid, mark, patience_seconds=STOP_SECONDS)
    raise StitchlakeError(
        f"streaming: ended by itself, got exit code {code}, expected to run until stopped. See the line above"
    )


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


def _noted(config: Config) -> Processes | None:
    try:
        return Processes(**json.loads(_file(config).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
