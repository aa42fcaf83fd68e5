from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from serving.state.sns_certificates import SnsCertificates, fetched
from tests.lakehouse.actions.servers import http_server


def test_each_is_fetched_once_and_not_more_than_a_few_are_kept() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return url.encode()

    certificates = SnsCertificates(fetch)
    assert [certificates.at(url) for url in ("a", "b", "a")] == [b"a", b"b", b"a"]
    assert asked == ["a", "b"]
    for number in range(100):
        certificates.at(str(number))
    assert len(certificates._kept) == 16


def test_what_cannot_be_fetched_is_asked_for_again() -> None:
    answers = iter([OSError("away"), b"pem"])

    def fetch(_: str) -> bytes:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    now = [0.0]
    certificates = SnsCertificates(fetch, lambda: now[0])
    with pytest.raises(OSError, match="away"):
        certificates.at("a")
    for _ in range(100):
        with pytest.raises(OSError, match="a moment ago"):
            certificates.at("a")
    now[0] = 10.0
    assert certificates.at("a") == b"pem"


def test_few_wait_for_amazon_however_many_messages_come() -> None:
    asked, may_answer = list[str](), Event()

    def fetch(url: str) -> bytes:
        asked.append(url)
        assert may_answer.wait(30)
        return b"pem"

    certificates = SnsCertificates(fetch)
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(certificates.at, url) for url in ("a", "b")]
        while len(asked) < 2:
            may_answer.wait(0.001)
        for url in ("a", "b", "c"):
            with pytest.raises(OSError, match="for another message"):
                certificates.at(url)
        may_answer.set()
        assert [each.result() for each in waiting] == [b"pem", b"pem"]
    assert certificates.at("c") == b"pem"
    assert sorted(asked) == ["a", "b", "c"]


def test_nothing_is_fetched_from_a_private_network() -> None:
    with http_server() as hook:
        with pytest.raises(OSError, match="private"):
            fetched(hook.url.replace("http://", "https://"))
        assert hook.calls == []
