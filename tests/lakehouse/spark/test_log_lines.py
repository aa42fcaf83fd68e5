"""A line of a job's log: whole, and without our keys."""

import dataclasses
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import kafka
import pytest

from lakehouse.config import Config, LogConfig
from lakehouse.spark.log_lines import JsonLines, TextLines, set_up

KEY = "a-secret-of-ours"


def record(message: str, *args: object, error: Exception | None = None, **context: Any) -> logging.LogRecord:
    made = logging.LogRecord("stitchlake.profiles", logging.WARNING, "", 0, message, args, None)
    if error is not None:
        try:
            raise error
        except Exception:
            made.exc_info = sys.exc_info()
    vars(made).update(context)
    return made


def test_a_line_of_json_says_when_who_what_and_where_in_the_stream() -> None:
    line = json.loads(JsonLines([KEY]).format(record("took\n%d", 3, query="events", batch_id=7)))
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "warning",
        "logger": "stitchlake.profiles",
        "message": "took\n3",
        "query": "events",
        "batch_id": 7,
    }


@pytest.mark.parametrize("lines", [TextLines([KEY, ""]), JsonLines([KEY, ""])], ids=["text", "json"])
def test_no_key_of_ours_is_told_not_even_in_a_stack_trace(lines: TextLines) -> None:
    told = lines.format(record("plan with %s", KEY, error=OSError(f"no space for hmac({KEY})")))
    assert KEY not in told
    assert "plan with (hidden)" in told
    assert "OSError: no space for hmac((hidden))" in told


@contextmanager
def as_in_a_job() -> Iterator[logging.Logger]:
    """The root logger, without the handlers that pytest gives it when a test begins; ours without any."""
    root, ours = logging.getLogger(), logging.getLogger("stitchlake")
    kept, level = [(logger, list(logger.handlers)) for logger in (root, ours)], ours.level
    root.handlers, ours.handlers = [], []
    try:
        yield root
    finally:
        for logger, handlers in kept:
            logger.handlers = handlers
        ours.setLevel(level)


def test_a_job_writes_the_lines_of_its_configuration_once(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    with as_in_a_job():
        for _ in range(2):
            set_up(dataclasses.replace(config, log=LogConfig(format="json", level="info")))
        logging.getLogger("stitchlake.streams").info("key %s", config.privacy.hmac_key, extra={"query": "events"})
        logging.getLogger("stitchlake.streams").debug("too much")
        logging.getLogger(kafka.__name__).warning("a connection was closed")  # the library's, which it keeps to itself
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["level"], line["message"], line["query"]) == ("info", "key (hidden)", "events")


def test_who_has_set_up_logging_keeps_it(config: Config) -> None:
    own = logging.NullHandler()
    with as_in_a_job() as root:
        root.addHandler(own)
        set_up(config)
        assert root.handlers == [own]
