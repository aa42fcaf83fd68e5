"""The library of web pages as it is served; what it does in a browser is in tests/serving/test_senders.py."""

import gzip
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.api.page_script import compact, hand_out_script
from serving.service import Service

MOST_BYTES = 3_000


def test_a_browser_gets_it_small_and_others_as_it_is(door: Callable[..., tuple[TestClient, Service]]) -> None:
    client, _ = door(keys=(), is_open=True, origins=())
    address = "/stitchlake.js"
    with client.stream("GET", address, headers={"accept-encoding": "gzip, br"}) as packed:
        sent = b"".join(packed.iter_raw())
    assert len(sent) < MOST_BYTES
    plain = client.get(address, headers={"accept-encoding": "identity"})
    assert gzip.decompress(sent) == plain.content
    assert (plain.status_code, plain.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert packed.headers["vary"] == "accept-encoding"


def test_it_knows_for_how_long_the_lake_knows_a_repeat() -> None:
    app = FastAPI()
    hand_out_script(app, 30)
    text = TestClient(app).get("/stitchlake.js").text
    assert "again = 30 * 864e5 / 2" in text
    assert "DEDUPE" not in text


def test_comments_and_indentation_are_not_served_and_addresses_are() -> None:
    text = "// why\n(() => {\n  f('https://a/b'); // because\n\n  // and\n})();\n"
    assert compact(text) == b"(() => {\nf('https://a/b');\n})();"
