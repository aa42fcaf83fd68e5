import dataclasses
from typing import Any

import pytest

from lakehouse.config import Config
from lakehouse.config.keys import make
from lakehouse.errors import ConfigError, StitchlakeError
from serving.__main__ import hold_to_address, keyring, main


def test_serve_takes_no_argument() -> None:
    with pytest.raises(StitchlakeError, match="expected no argument"):
        main(["--port=1"])


def test_outside_dev_the_service_does_not_start_without_keys(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "STITCHLAKE_HMAC_KEY", "STITCHLAKE_HMAC_KEY_ID"):
        monkeypatch.setenv(name, "127.0.0.1:9")
    monkeypatch.setenv("STITCHLAKE_ENV", "prod")
    with pytest.raises(ConfigError, match=r"serving\.keys: empty.*spark-submit\.sh key"):
        main([])
    closed = dataclasses.replace(config, serving=dataclasses.replace(config.serving, keys=(), is_open=False))
    with pytest.raises(ConfigError, match=r"serving\.keys: empty"):
        keyring(closed)
    one = (make("web", ["ingest"])[1].declared,)
    assert keyring(dataclasses.replace(closed, serving=dataclasses.replace(closed.serving, keys=one)))


def test_in_dev_it_starts_as_it_is(config: Config) -> None:
    assert keyring(config)


CLOSED = {"is_open": False, "keys": (make("web", ["ingest"])[1].declared,)}
TLS = {"tls_certificate": "c.pem", "tls_key": "k.pem"}
PROXY = {"public_url": "https://events.example.com", "proxies": 1}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "events.example.com"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (TLS, "with what everybody may do or the key of dev"),
        ({**TLS, "is_open": False}, "the key of dev"),
        (CLOSED, "without TLS"),
        ({**CLOSED, "public_url": "https://events.example.com"}, "without TLS"),
        ({**CLOSED, "proxies": 1, "public_url": "http://events.example.com"}, "without TLS"),
        ({**CLOSED, **TLS}, None),
        ({**CLOSED, **PROXY}, None),
    ],
)
def test_it_listens_to_the_world_only_by_keys_and_tls(
    config: Config, host: str, settings: dict[str, Any], told: str | None
) -> None:
    asked = dataclasses.replace(config, serving=dataclasses.replace(config.serving, host=host, **settings))
    if told is None:
        hold_to_address(asked)
        return
    with pytest.raises(ConfigError, match=f"serving.host: got '{host}' .*{told}"):
        hold_to_address(asked)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_in_dev_it_listens_to_this_machine_without_more(config: Config, host: str) -> None:
    hold_to_address(dataclasses.replace(config, serving=dataclasses.replace(config.serving, host=host)))
