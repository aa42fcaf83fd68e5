"""The decision service over a real broker, with a store and a recommender of the test's own."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lakehouse.commands.supervisor import topics
from lakehouse.config import Config, LakeConfig, load
from lakehouse.config.sections import OauthConfig
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.online.engines import open_store
from serving.__main__ import make_service
from serving.app import create_app
from serving.lifespan import lifespan_of
from serving.service import Service
from tests.benchmarks.visitors import mark_filled, train_model
from tests.serving.place import place

__all__ = ["place"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake folder with a recommender in it: read only."""
    folder = tmp_path_factory.mktemp("trained") / "lake"
    config = load("dev", environ={})
    train_model(dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=str(folder))))
    return folder


@pytest.fixture(scope="session")
def _servers(kafka: RunningBroker) -> str:
    for topic in topics(load("dev", environ={})):
        admin.create_topic(kafka, topic, 1)
    return kafka.bootstrap_servers


@pytest.fixture(scope="session")
def config_in(trained: Path, _servers: str) -> Callable[[Path], Config]:
    """A configuration whose online store, filled, is in this folder."""

    def config(folder: Path) -> Config:
        ours = load("dev", environ={})
        url = f"lmdb://{folder}/online"
        filled(url)
        return dataclasses.replace(
            ours,
            lake=LakeConfig(root=str(trained), keep_hours=1),
            kafka=dataclasses.replace(ours.kafka, bootstrap_servers=_servers),
            online_store=dataclasses.replace(ours.online_store, url=url),
            serving=dataclasses.replace(ours.serving, spool_megabytes=0),  # the lake is read only
        )

    return config


@pytest.fixture
def serving_config(config_in: Callable[[Path], Config], tmp_path: Path) -> Config:
    return config_in(tmp_path)


def filled(url: str) -> None:
    """A store that says it holds all of gold."""
    store = open_store(url, timeout_ms=2000)
    mark_filled(store)
    store.close()


Start = Callable[..., tuple[TestClient, Service]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a service on a configuration; it is connected to the broker when `start` returns, unless told otherwise."""
    running: list[TestClient] = []

    def begin(
        config: Config, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), connected: bool = True
    ) -> tuple[TestClient, Service]:
        service = make_service(config, clock=clock)
        client = TestClient(create_app(service, lifespan_of(service)), base_url="http://127.0.0.1:8080")
        client.__enter__()
        running.append(client)
        if connected:
            assert client.portal is not None
            client.portal.call(_connected, service)
        return client, service

    yield begin
    for client in running:
        client.__exit__(None, None, None)


async def _connected(service: Service) -> None:
    async with asyncio.timeout(30):
        while not (service.out.is_connected and service.is_listening.is_set()):
            await asyncio.sleep(0.01)


@pytest.fixture
def api(serving_config: Config, start: Start) -> TestClient:
    return start(serving_config)[0]


@pytest.fixture
def door(config: Config, tmp_path: Path) -> Iterator[Callable[..., tuple[TestClient, Service]]]:
    """A service without a broker and without a model, at its front door; `door(keys=...)`: with these settings of [serving].

    `oauth`: whose tokens it takes.
    """
    opened: list[Service] = []

    def begin(*, oauth: OauthConfig = config.oauth, **settings: Any) -> tuple[TestClient, Service]:
        name = f"online-{len(opened)}"
        filled(f"lmdb://{tmp_path}/{name}")
        service = make_service(
            dataclasses.replace(
                config,
                lake=dataclasses.replace(config.lake, root=str(tmp_path)),
                online_store=dataclasses.replace(config.online_store, url=f"lmdb://{tmp_path}/{name}"),
                oauth=oauth,
                serving=dataclasses.replace(config.serving, **{"spool_megabytes": 0} | settings),
            )
        )
        service.tokens.look()
        opened.append(service)
        return TestClient(create_app(service, _nothing), base_url="http://127.0.0.1:8080"), service

    yield begin
    for service in opened:
        service.outbox.close()
        for part in (service.pending, service.facts):
            part.close()
            part.store.close()


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield
