"""Where models are kept, and which of them speaks now: the alias `champion` of a registered MLflow model.

A version is immutable; what the stream needs of it is `parameters.json`, plain values beside the fitted pipeline.
Moving the alias is all it takes to promote or to roll back; every micro-batch looks (a few ms) and follows.

Without `mlflow.tracking_uri` the registry is `<lake.root>/_mlflow/mlflow.db` with its artifacts beside it.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import unquote, urlparse

from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.matching.model import MatchModel
from lakehouse.models.policy_model import PolicyModel
from lakehouse.models.score_model import ScoreModel
from lakehouse.models.segment_model import SegmentModel
from lakehouse.models.value_model import ValueModel
from lakehouse.profiles.declaration import ScoreChampion
from lakehouse.profiles.declared_scores import SCORES, Reader

if TYPE_CHECKING:
    from mlflow import MlflowClient

SEGMENTS = "segments"
IDENTITY = "identity"
RECOMMENDER = "recommender"
TRAINED_BY: Mapping[str, str] = {
    SEGMENTS: "ml/train_segments.py",
    IDENTITY: "ml/train_identity.py",
    RECOMMENDER: "ml/train_recommender.py",
    **{score.model: score.trained_by for score in SCORES if score.trained_by is not None},
}
"""Model -> the job that trains it."""
CHAMPION = "champion"
PARAMETERS = "parameters.json"

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # no such model; no such alias

_SCORE_READERS: Mapping[Reader, Callable[[Mapping[str, Any], str], ScoreChampion]] = {
    "probability": ScoreModel.from_parameters,
    "policy": PolicyModel.from_parameters,
    "lifetime_value": ValueModel.from_parameters,
}

# A remote registry that is down must cost a micro-batch seconds; MLflow's own defaults are minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}

log = logging.getLogger("stitchlake.models")


class _Model(Protocol):
    @property
    def version(self) -> str: ...


M = TypeVar("M", bound=_Model)


def local_folder(config: Config) -> Path | None:
    """Folder of the lake's own registry; None where `mlflow.tracking_uri` names another.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    if config.mlflow.tracking_uri:
        return None
    root = urlparse(config.lake.root)
    if root.scheme not in ("", "file"):
        raise ModelError(
            f"[mlflow] tracking_uri: empty, got lake.root {config.lake.root}, expected a tracking URI where the lake is "
            "remote. Set STITCHLAKE__MLFLOW__TRACKING_URI"
        )
    return Path(unquote(root.path) if root.scheme else config.lake.root).absolute() / "_mlflow"


def has_registry(config: Config) -> bool:
    """Whether a model was ever registered; of a registry elsewhere it is taken as given.

    Raises:
        ModelError: as `local_folder`.
    """
    folder = local_folder(config)
    return folder is None or (folder / "mlflow.db").is_file()


def tracking_uri(config: Config) -> str:
    """URI of the registry in force.

    Raises:
        ModelError: as `local_folder`.
    """
    folder = local_folder(config)
    return config.mlflow.tracking_uri if folder is None else f"sqlite:///{folder / 'mlflow.db'}"


def client(uri: str) -> "MlflowClient":
    """A client of its own: MLflow's process-wide settings are left alone, for queries run in the same process.

    MLflow is imported here, not at start: it takes seconds, and a lake without models never needs it.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it reports usage over the network otherwise
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)  # hundreds of lines about its own tables
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def set_champion(config: Config, name: str, version: str) -> None:
    """Let `version` speak from the next micro-batch on: promotion and rollback alike.

    Raises:
        ModelError: there is no such version.
    """
    from mlflow.exceptions import MlflowException

    try:
        client(tracking_uri(config)).set_registered_model_alias(name, CHAMPION, version)
    except MlflowException as error:
        raise ModelError(
            f"registry: no version {version!r} of model {name!r}: {error.message}. Look at {tracking_uri(config)}"
        ) from error


def champion_file(config: Config, name: str, file: str) -> tuple[str, Mapping[str, Any], bytes] | None:
    """Version, parameters and one file of the champion; None where there is no champion, or it has no such file.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    if not has_registry(config):
        return None
    from mlflow.exceptions import MlflowException

    registry = client(tracking_uri(config))
    try:
        found = registry.get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise
    if file not in {one.path for one in registry.list_artifacts(found.run_id)}:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        parameters, content = (
            Path(registry.download_artifacts(found.run_id, one, scratch)).read_bytes() for one in (PARAMETERS, file)
        )
    return str(found.version), json.loads(parameters), content


class Champions:
    """The champions in force, followed from micro-batch to micro-batch.

    `segments`, `matcher`: None while there is no registry, no such model or no alias; `scores`: by column, those that have a
    champion. That is not an error. A registry that cannot be reached or a version that cannot be read leaves the model held so
    far, and warns once. `absent`: models of which the registry has said that none is champion.
    """

    def __init__(self, config: Config) -> None:
        self._uri = tracking_uri(config)
        self._config = config
        self._client: MlflowClient | None = None
        self._warned: set[str] = set()
        self._unusable: dict[str, str] = {}
        self.segments: SegmentModel | None = None
        self.scores: dict[str, ScoreChampion] = {}
        self.matcher: MatchModel | None = None
        self.absent: set[str] = set()

    @classmethod
    def now(cls, config: Config) -> Self:
        """Those of this moment, for a job that looks once."""
        champions = cls(config)
        champions.refresh()
        return champions

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the champions gold is made with, by model; one without a champion is left out."""
        segments = {} if self.segments is None else {SEGMENTS: self.segments.version}
        return segments | {
            score.model: self.scores[score.column].version for score in SCORES if score.column in self.scores
        }

    def refresh(self) -> bool:
        """Follow the aliases. True if a champion that gold is made with is another than before."""
        before = self.versions
        if not has_registry(self._config):
            self.segments, self.scores, self.matcher = None, {}, None
        else:
            self.segments = self._follow(SEGMENTS, self.segments, SegmentModel.from_parameters)
            self.scores = self._follow_scores()
            self.matcher = self._follow(IDENTITY, self.matcher, MatchModel.from_parameters)
        return self.versions != before

    def _follow_scores(self) -> dict[str, ScoreChampion]:
        """By column, what is champion of every score that some job trains."""
        models = {
            score.column: self._follow(score.model, self.scores.get(score.column), _SCORE_READERS[score.read_as])
            for score in SCORES
            if score.read_as is not None
        }
        return {column: model for column, model in models.items() if model is not None}

    def _follow(self, name: str, held: M | None, parse: Callable[[Mapping[str, Any], str], M]) -> M | None:
        version = None
        try:
            version, run_id = self._champion(name)
            if version is None or run_id is None:
                self.absent.add(name)
                return None
            self.absent.discard(name)
            if version in (held.version if held else None, self._unusable.get(name)):
                return held
            model = parse(self._parameters(run_id), version)
        except Exception as error:  # whatever is wrong with a model or its registry, the stream goes on without it
            self._warn(name, version, error)
            return held
        log.info("model %s: version %s is champion, before %s", name, version, held.version if held else None)
        return model

    def _champion(self, name: str) -> tuple[str | None, str | None]:
        """Version and run of the alias; None where there is none."""
        if self._client is None:
            for setting, value in _PATIENCE.items():
                os.environ.setdefault(setting, value)
            self._client = client(self._uri)
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_model_version_by_alias(name, CHAMPION)
        except MlflowException as error:
            if error.error_code in _ABSENT:
                return None, None
            raise
        return str(found.version), str(found.run_id)

    def _parameters(self, run_id: str) -> Mapping[str, Any]:
        assert self._client is not None
        with tempfile.TemporaryDirectory() as folder:
            path = self._client.download_artifacts(run_id, PARAMETERS, folder)
            parameters: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return parameters

    def _warn(self, name: str, version: str | None, error: Exception) -> None:
        """Once per fault: a version that cannot be read is not tried again, a registry out of reach is, every batch."""
        if version is not None:
            self._unusable[name] = version
        text = f"model {name}: version {version or 'unknown'} cannot be used, keeping what is held: {error}"
        if text not in self._warned:
            self._warned.add(text)
            log.warning(text)
