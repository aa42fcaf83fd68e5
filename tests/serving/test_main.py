import dataclasses

import pytest

from lakehouse.config import Config
from lakehouse.config.keys import make
from lakehouse.errors import ConfigError, StitchlakeError
from serving.__main__ import keyring, main


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
