"""Which version of a model is champion: promoted, rolled back, looked at. Nothing else moves the alias.

A model remembers its former champions, so that a rollback knows where to go. Both are in the audit log. The running stream follows the alias at its next
micro-batch, and the service answers from what the stream writes then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.lake import audit
from lakehouse.models.registry import CHAMPION, client, has_registry, local_folder, set_champion, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER: Final = "challenger"
FORMER: Final = "former_champions"  # tag of a model: versions, the last one last
GATE: Final = "gate"  # tag of a version: what the gate said of it
PASSED: Final = "passed"
REJECTED: Final = "rejected"
WHY: Final = "gate_reasons"
CARD: Final = "card.md"
SNAPSHOT: Final = "delta_version."  # tag of a run, before a table's name: the commit whose rows it learned from


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a model. aliases: champion, challenger. gate: PASSED, REJECTED, or empty where no gate has looked at it."""

    model: str
    number: str
    registered_at: datetime
    aliases: tuple[str, ...]
    gate: str
    reasons: str
    metrics: Mapping[str, float]
    settings: Mapping[str, str]
    tags: Mapping[str, str]
    run_id: str

    @property
    def snapshot(self) -> dict[str, int]:
        """Table -> commit whose rows it learned from."""
        return {
            tag.removeprefix(SNAPSHOT): int(commit) for tag, commit in self.tags.items() if tag.startswith(SNAPSHOT)
        }


def promote(config: Config, name: str, version: str, *, by: str, why: str) -> None:
    """Make the version champion; the one before it is remembered.

    Raises:
        ModelError: there is no such version.
    """
    registry = client(tracking_uri(config))
    before = _champion(registry, name)
    set_champion(config, name, version)
    if before is not None and before != version:
        _remember(registry, name, [*(one for one in former_champions(registry, name) if one != before), before])
    _no_challenger(registry, name, version)
    _note(config, "promotion", by, {"model": name, "version": version, "before": before, "why": why})


def rollback(config: Config, name: str, *, to: str | None, by: str, why: str) -> str:
    """Make a former champion champion again, the last one unless another is told; its version. Who was rolled back is no former champion.

    Raises:
        ModelError: it was champion never, or there is none before the one of now.
    """
    registry = _registry(config)
    now, former = _champion(registry, name), former_champions(registry, name)
    if not former or now is None:
        raise ModelError(
            f"model rollback: got {name} with {'no champion' if now is None else f'no champion before version {now}'}, expected one. "
            "See ./spark-submit.sh model list"
        )
    chosen = former[-1] if to is None else to
    if chosen not in former:
        raise ModelError(
            f"model rollback: version {chosen} of {name} was no champion, expected one of {', '.join(former)}"
        )
    set_champion(config, name, chosen)
    _remember(registry, name, former[: former.index(chosen)])
    _note(config, "rollback", by, {"model": name, "version": chosen, "before": now, "why": why})
    return chosen


def versions(config: Config, name: str | None = None) -> Iterator[Version]:
    """Every version there is, of one model or of all, by model, the newest first.

    Raises:
        ModelError: there is no registry yet.
    """
    registry = _registry(config)
    for model in sorted(registry.search_registered_models(), key=lambda one: one.name):
        if name not in (None, model.name):
            continue
        by_version: dict[str, list[str]] = {}
        for alias, number in model.aliases.items():
            by_version.setdefault(str(number), []).append(alias)
        found = registry.search_model_versions(f"name = '{model.name}'")
        for one in sorted(found, key=lambda version: -int(version.version)):
            yield _version(registry, one, tuple(sorted(by_version.get(str(one.version), ()))))


def version_of(config: Config, name: str, number: str | None) -> Version:
    """The version, or the champion, or else the newest.

    Raises:
        ModelError: there is none.
    """
    found = list(versions(config, name))
    wanted = [one for one in found if one.number == number] if number else [
        *(one for one in found if CHAMPION in one.aliases), *found
    ]  # fmt: skip
    if not wanted:
        raise ModelError(
            f"registry: no {'version' if number is None else f'version {number!r}'} of model {name!r}. See ./spark-submit.sh model list"
        )
    return wanted[0]


def card_of(config: Config, version: Version) -> str | None:
    """Its model card, Markdown; None where it has none."""
    registry = client(tracking_uri(config))
    if CARD not in {one.path for one in registry.list_artifacts(version.run_id)}:
        return None
    with TemporaryDirectory() as folder:
        return Path(registry.download_artifacts(version.run_id, CARD, folder)).read_text(encoding="utf-8")


def former_champions(registry: "MlflowClient", name: str) -> list[str]:
    """Versions that were champion before, the last one last."""
    told = registry.get_registered_model(name).tags.get(FORMER, "")
    return [one for one in told.split(",") if one]


def _registry(config: Config) -> "MlflowClient":
    if not has_registry(config):
        raise ModelError(
            f"registry: none yet, got no {local_folder(config)}/mlflow.db, expected one. Train a model: ./spark-submit.sh ml/train_scores.py"
        )
    return client(tracking_uri(config))


def _version(registry: "MlflowClient", found: Any, aliases: tuple[str, ...]) -> Version:
    run = registry.get_run(found.run_id)
    return Version(
        model=found.name,
        number=str(found.version),
        registered_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=aliases,
        gate=found.tags.get(GATE, ""),
        reasons=found.tags.get(WHY, ""),
        metrics=run.data.metrics,
        settings=run.data.params,
        tags={key: tag for key, tag in run.data.tags.items() if not key.startswith("mlflow.")},
        run_id=found.run_id,
    )


def _champion(registry: "MlflowClient", name: str) -> str | None:
    number = registry.get_registered_model(name).aliases.get(CHAMPION)
    return None if number is None else str(number)


def _remember(registry: "MlflowClient", name: str, former: list[str]) -> None:
    registry.set_registered_model_tag(name, FORMER, ",".join(former))


def _no_challenger(registry: "MlflowClient", name: str, version: str) -> None:
    if str(registry.get_registered_model(name).aliases.get(CHALLENGER)) == version:
        registry.delete_registered_model_alias(name, CHALLENGER)


def _note(config: Config, kind: str, by: str, told: Mapping[str, Any]) -> None:
    audit.note(config, kind, by=by, detail=told, now=datetime.now(UTC))
