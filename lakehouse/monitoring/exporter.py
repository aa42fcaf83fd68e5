"""GET /metrics of a streaming driver, on this machine only: its text names tables and queries, and needs no key."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from lakehouse.kafka.server import HOST

log = logging.getLogger("stitchlake.monitoring")


@contextmanager
def exposed(registry: CollectorRegistry, port: int, *, key: str) -> Iterator[int | None]:
    """Answer at the port, which the configuration names in `key`; gives the port, or None where nobody answers.

    0 = off. A port that is taken is told in the log, and the driver runs on: data before figures about them.
    """
    if port == 0:
        yield None
        return
    try:
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        log.warning(
            "%s: %d is taken (%s), expected a free port, so the metrics of this driver are not served. Set STITCHLAKE__%s, or 0",
            key, port, error.strerror, key.upper().replace(".", "__"),
        )  # fmt: skip
        yield None
        return
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
