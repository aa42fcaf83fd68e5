"""A trained model's parameters, and its pipeline where it has one, become a registered version: a challenger, or the champion at once.

MLflow's client is used throughout, never its process-wide "active run": training may share a process with the stream.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from lakehouse.config import PROJECT, Config
from lakehouse.errors import ModelError
from lakehouse.lake.delta import Lake
from lakehouse.machine import account
from lakehouse.models.aliases import CHALLENGER, SNAPSHOT, promote
from lakehouse.models.registry import PARAMETERS, client, local_folder, tracking_uri
from lakehouse.tables.contract import Table

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Given by hand: MLflow would start Python afresh to find them, some 20 s.
REQUIREMENTS = ("pyspark==4.2.0", "mlflow==3.17.2")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is kept of one training. `inputs`: name -> MLflow type of the columns the pipeline reads.

    `pipeline`: None where the parameters are all there is. `files`: name -> content, kept beside them. `tags`: of the version.
    """

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    settings: Mapping[str, str | int | float]
    snapshot: Mapping[str, int]
    inputs: Mapping[str, str] = field(default_factory=dict)
    pipeline: PipelineModel | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def publish(config: Config, trained: Trained, *, is_champion: bool = True, why: str = "trained") -> str:
    """Store and register; make champion, and say why in the audit log, or else challenger. The version given to it. The alias moves last, once all is there.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    mlflow = open_registry(config)
    run = mlflow.create_run(_experiment(mlflow, config, trained.name), run_name=trained.name)
    run_id = run.info.run_id
    try:
        _log(mlflow, run_id, trained)
        if trained.pipeline is not None:
            _log_pipeline(mlflow, run_id, trained, trained.pipeline)
    except BaseException:
        mlflow.set_terminated(run_id, "FAILED")
        raise
    mlflow.set_terminated(run_id)
    if not mlflow.search_registered_models(filter_string=f"name = '{trained.name}'"):
        mlflow.create_registered_model(trained.name)
    source = f"{run.info.artifact_uri}/model" if trained.pipeline is not None else run.info.artifact_uri
    version = str(mlflow.create_model_version(trained.name, source, run_id=run_id, tags=dict(trained.tags)).version)
    if is_champion:
        promote(config, trained.name, version, by=account(), why=why)
    else:
        mlflow.set_registered_model_alias(trained.name, CHALLENGER, version)
    return version


def snapshot(lake: Lake, table: Table) -> tuple[DataFrame, int]:
    """The table as it stands and its Delta version, which names exactly the rows that were trained on.

    Raises:
        ModelError: there is no such table yet.
    """
    path = lake.path(table)
    if not DeltaTable.isDeltaTable(lake.spark, path):
        raise ModelError(
            f"{table.name}: no table, got {path}, expected a lake with profiles. Run ./spark-submit.sh demo"
        )
    return lake.snapshot(table)


def open_registry(config: Config) -> "MlflowClient":
    """A client, on a registry that is there. A new local one is built aside and moved into place when it is whole.

    The stream looks for the file every batch and must never find MLflow half way through creating its tables.
    """
    folder = local_folder(config)
    if folder is not None and not (folder / "mlflow.db").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            built = Path(aside) / "mlflow.db"
            build_registry(built)
            with contextlib.suppress(FileExistsError):  # another training was first; both are equal
                os.link(built, folder / "mlflow.db")
    return client(tracking_uri(config))


def build_registry(database: Path) -> None:
    """A local registry without a model: MLflow goes through all its migrations, which takes seconds."""
    client(f"sqlite:///{database}").search_registered_models(max_results=1)


def _experiment(mlflow: "MlflowClient", config: Config, name: str) -> str:
    found = mlflow.get_experiment_by_name(f"stitchlake-{name}")
    if found is not None:
        return str(found.experiment_id)
    folder = local_folder(config)
    location = None if folder is None else (folder / "artifacts" / name).as_uri()
    return str(mlflow.create_experiment(f"stitchlake-{name}", artifact_location=location))


def _log(mlflow: "MlflowClient", run_id: str, trained: Trained) -> None:
    for key, setting in trained.settings.items():
        mlflow.log_param(run_id, key, setting)
    for key, metric in trained.metrics.items():
        mlflow.log_metric(run_id, key, metric)
    tags = {f"{SNAPSHOT}{table}": str(version) for table, version in trained.snapshot.items()}
    tags |= {"code_version": code_version(), "feature_schema": feature_schema(list(trained.inputs))}
    for key, tag in tags.items():
        mlflow.set_tag(run_id, key, tag)
    # Not log_dict: it would write what is no JSON, such as an object or not-a-number, as if it were.
    mlflow.log_text(run_id, json.dumps(dict(trained.parameters), allow_nan=False), PARAMETERS)
    for name, content in trained.files.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(content)
            mlflow.log_artifact(run_id, f"{folder}/{name}")


def _log_pipeline(mlflow: "MlflowClient", run_id: str, trained: Trained, pipeline: PipelineModel) -> None:
    """The fitted pipeline in MLflow's spark flavor: `mlflow.spark.load_model("models:/<name>@champion")`."""
    import mlflow.spark as flavor
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(inputs=Schema([ColSpec(type_, name) for name, type_ in trained.inputs.items()]))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model"
        flavor.save_model(pipeline, path, pip_requirements=list(REQUIREMENTS), signature=signature)
        mlflow.log_artifacts(run_id, path, "model")


def feature_schema(names: Sequence[str]) -> str:
    """Short hash of the input columns, in order: two models with the same one read the same frame."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def code_version() -> str:
    """Commit the working tree stands on; `unknown` outside git or before the first commit."""
    command = ["git", "-C", str(PROJECT), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"
