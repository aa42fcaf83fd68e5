"""A shop whose service runs without a broker, by a clock of the test's own; as many processes of it as wanted, on one store."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from lakehouse.config import Config
from lakehouse.learning.logged_exposures import COLUMNS
from serving.__main__ import make_service
from serving.api import outcomes
from serving.deciding.next_best_action import next_best_action
from serving.messages.request_models import DecisionRequest, ExposureRequest, OutcomeRequest
from serving.service import Service
from tests.benchmarks.visitors import mark_filled

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OFFER = {"owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 1}
OFFERS = ("bundle", "gift", "trial")


@dataclass
class QuietShop:
    """`logged`: every message of the decision log, in the order it was told."""

    config: Config
    folder: Path
    now: datetime = BEGIN
    logged: list[dict[str, Any]] = field(default_factory=list)
    running: list[Service] = field(default_factory=list)

    def start(self, **serving: Any) -> Service:
        """Another process of the service."""
        config = replace(self.config, serving=replace(self.config.serving, **serving))
        service = make_service(config, clock=lambda: self.now)
        service.log.tell = self._log  # type: ignore[method-assign]
        mark_filled(service.store)
        service.visitors.look()
        for file in (service.rules, service.catalogue, service.experiments):
            file.look()
        service.policy.learn(service.now_ms())
        self.running.append(service)
        return service

    def stop(self, service: Service) -> None:
        """What waits to be written is."""
        self.running.remove(service)
        for pending in (service.pending, service.facts):
            pending.close()
            pending.store.close()

    def _log(self, topic: str, key: bytes, value: bytes) -> None:
        self.logged.append(orjson.loads(value))

    def rows(self) -> list[Mapping[str, Any]]:
        """As silver.decision_log has them: each message once."""
        first: dict[str, Mapping[str, Any]] = {}
        for message in self.logged:
            first.setdefault(message["log_id"], message)
        return [{name: message.get(name) for name in COLUMNS} for message in first.values()]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.logged if message["kind"] == kind]

    def offer(self, *offers: Mapping[str, Any]) -> None:
        """From the next start on."""
        every = offers or [{"name": name, "title": name, **OFFER} for name in OFFERS]
        (self.folder / "offers.yaml").write_text(yaml.safe_dump({"offers": [dict(one) for one in every]}))

    def rule(self, *rules: Mapping[str, Any]) -> None:
        """From the next start on."""
        (self.folder / "rules.yaml").write_text(yaml.safe_dump({"rules": [dict(one) for one in rules]}))


@pytest.fixture
def quiet_shop(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuietShop]:
    for name in ("RULES", "OFFERS", "EXPERIMENTS"):
        monkeypatch.setattr(f"serving.__main__.{name}", tmp_path / f"{name.lower()}.yaml")
    (tmp_path / "experiments.yaml").write_text(yaml.safe_dump({"experiments": []}))
    config = replace(config, online_store=replace(config.online_store, url=f"lmdb://{tmp_path}/online"))
    shop = QuietShop(config, tmp_path)
    shop.offer()
    shop.rule()
    yield shop
    for service in list(shop.running):
        shop.stop(service)


def decide(service: Service, visitor: str = "ana", **request: Any) -> dict[str, Any]:
    who = {"identifier": {"type": "anonymous_id", "value": visitor}}
    return asyncio.run(next_best_action(service, DecisionRequest.model_validate(who | request)))


def expose(service: Service, decision_id: str, **request: Any) -> dict[str, Any]:
    return asyncio.run(outcomes.expose(service, ExposureRequest(decision_id=decision_id, **request)))


def tell(service: Service, decision_id: str, metric: str = "converted", **request: Any) -> dict[str, Any]:
    return asyncio.run(outcomes.record(service, OutcomeRequest(decision_id=decision_id, metric=metric, **request)))


def expected(service: Service, offers: Sequence[str] = OFFERS) -> dict[str, float]:
    """Reward the policy expects of each offer."""
    chances = service.policy.explorer("d", is_greedy=True)(dict.fromkeys(offers, 1.0), {}).chances
    return {name: round(chances[name], 4) for name in offers}
