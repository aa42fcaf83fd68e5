"""Several processes of the service at one port: one service to whoever asks."""

import signal
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lakehouse.config import Config
from tests.serving.served import ask, serving, until

ASKED = 60


@pytest.mark.slow
def test_two_processes_answer_as_one_record_each_thing_once_and_end_together(serving_config: Config) -> None:
    with serving(serving_config, workers=2) as (address, server), ThreadPoolExecutor(8) as at_once:

        def many(path: str, body: Any = None) -> list[dict[str, Any]]:
            return list(at_once.map(lambda _: ask(address, path, body), range(ASKED)))

        decision_ids = {answer["decision_id"] for answer in many("/api/decide", {"customer_id": "u-1"})}
        assert len(decision_ids) == ASKED
        counted = {answer["decisions"] for answer in many("/api/status")}
        assert len(counted) == 2  # one count a process
        assert sum(counted) == ASKED
        said = {"decision_id": min(decision_ids)}
        until(lambda: _is_known_to_both(many, said))
        assert sum(not answer["duplicate"] for answer in many("/api/outcomes", said)) == 1
        assert sum(not answer["duplicate"] for answer in many("/api/exposures", said)) == 1
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
        with pytest.raises(urllib.error.URLError):
            ask(address, "/healthz")


def _is_known_to_both(many: Any, said: dict[str, str]) -> bool:
    """What one process decided the other knows once it is written behind, some milliseconds later."""
    try:
        many("/api/outcomes", said | {"metric": "looked_for"})
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise
    return True
