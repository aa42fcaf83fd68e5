"""Through the API: an arm, and the holdout, stay when the visitor becomes a profile; and what runs is known again after a reboot."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from lakehouse.config import Config
from serving.__main__ import make_service
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
from serving.messages.request_models import DecisionRequest, RecommendationRequest
from serving.service import Service
from tests.benchmarks.visitors import mark_filled
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPERIMENT = {
    **{"name": "try", "owner": "crm", "layer": "offers", "buckets": [0, 10_000]},
    **{"arms": [{"name": "a"}, {"name": "b"}], "baseline": "a", "metrics": ["converted"]},
}
Serve = Callable[[], Service]


@pytest.fixture
def serve(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A service on files and stores of the test's own; the one before is closed."""
    for name in ("RULES", "OFFERS", "EXPERIMENTS"):
        monkeypatch.setattr(f"serving.__main__.{name}", tmp_path / f"{name.lower()}.yaml")
    offer = {"name": "gift", "title": "Gift", "owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 5}
    (tmp_path / "offers.yaml").write_text(yaml.safe_dump({"offers": [offer]}))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"rules": []}))
    started: list[Service] = []

    def begin() -> Service:
        if started:
            close(started[-1])
        url = f"lmdb://{tmp_path}/online"
        service = make_service(replace(config, online_store=replace(config.online_store, url=url)), clock=lambda: NOW)
        mark_filled(service.store)
        started.append(service)
        return service

    return begin


def close(service: Service) -> None:
    for pending in (service.pending, service.facts):
        pending.close()
        pending.store.close()


def arrange(folder: Path, **experiments: Any) -> None:
    (folder / "experiments.yaml").write_text(yaml.safe_dump({"experiments": [], **experiments}))


def ask(service: Service, visitors: Sequence[str]) -> list[tuple[dict[str, str], str | None]]:
    """Experiments and silence of each."""

    async def of(visitor: str) -> tuple[dict[str, str], str | None]:
        body = {"identifier": {"type": "anonymous_id", "value": visitor}}
        answer = await next_best_action(service, DecisionRequest.model_validate(body))
        return answer["experiments"], answer["silent_because"]

    async def of_all() -> list[tuple[dict[str, str], str | None]]:
        return [await of(visitor) for visitor in visitors]

    return asyncio.run(of_all())


def test_nobody_changes_arm_or_leaves_the_holdout_by_becoming_a_profile(serve: Serve, tmp_path: Path) -> None:
    arrange(tmp_path, experiments=[EXPERIMENT], holdout={"share": 0.3})
    service = serve()
    visitors = [f"v{number}" for number in range(200)]
    before = ask(service, visitors)
    for number, visitor in enumerate(visitors):
        put(service.store, person(f"p{number}", [("anonymous_id", visitor), ("user_id", f"u{number}")], version=2))
    service = serve()  # another process: nothing of it is in memory
    assert ask(service, visitors) == before
    arms = [told.get("try") for told, _ in before]
    assert all(arms.count(arm) > 30 for arm in ("a", "b", None))
    close(service)


def test_an_experiment_that_was_changed_while_it_ran_is_refused_after_a_reboot_too(
    serve: Serve, tmp_path: Path
) -> None:
    arrange(tmp_path, experiments=[EXPERIMENT])
    assert serve().experiments.current is not None
    arrange(tmp_path, experiments=[{**EXPERIMENT, "salt": "other"}])
    (tmp_path / "online").rename(tmp_path / "gone")
    service = serve()
    assert service.experiments.current is None
    assert "changed while it runs" in (service.experiments.fault or "")
    close(service)


def test_the_log_tells_the_arms_and_the_side_of_the_holdout_of_everybody_decided_on(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrange(tmp_path, experiments=[EXPERIMENT], holdout={"share": 0.3})
    told: list[Any] = []
    monkeypatch.setattr("serving.deciding.decision_log.log", lambda _, messages: told.extend(messages))
    service = serve()
    answers = ask(service, [f"v{number}" for number in range(60)])
    arms = [orjson.loads(message["context"])["arms"] for message in told]
    sides = [of_one["holdout"] for of_one in arms]
    assert {side: sides.count(side) > 5 for side in sides} == {"held_out": True, "served": True}
    for (experiments, silence), of_one in zip(answers, arms, strict=True):
        assert of_one == experiments | {"holdout": "served" if silence is None else "held_out"}
        assert ("try" in of_one) == (of_one["holdout"] == "served")
    told.clear()
    body = {"identifier": {"type": "anonymous_id", "value": "v0"}}
    asyncio.run(recommendations(service, RecommendationRequest.model_validate(body)))
    assert [orjson.loads(message["context"])["arms"]["holdout"] for message in told] == sides[:1]
    close(service)
