"""A model in a folder: model.npz (arrays, no pickle) and model.json (what it is); and which folder is current.

    <lake.root>/_serving/recommender/<version>/model.npz, model.json
    <lake.root>/_serving/recommender/current        the version in force, one line

A folder is written aside and moved into place, the pointer likewise: a reader finds a whole model or the one before.
numpy and orjson only.
"""

import dataclasses
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from lakehouse.errors import ModelError
from lakehouse.recommend.fold_in import Confidence
from lakehouse.recommend.model import Blend, RecommenderModel

SCHEMA: Final = 2  # of both files; another number is another layout
ARRAYS: Final = "model.npz"
ABOUT: Final = "model.json"
CURRENT: Final = "current"
KEPT: Final = 5  # versions that stay, to roll back to
_TEXTS: Final = ("product_ids", "categories", "segments")
_AGAIN: Final = "Run ./spark-submit.sh ml/train_recommender.py, or point `current` at another version with --use"


def packed(model: RecommenderModel) -> bytes:
    """The content of model.npz. Texts are JSON as bytes: numpy's own would need pickle, or the width of the longest."""
    arrays = {
        field.name: getattr(model, field.name)
        for field in dataclasses.fields(model)
        if isinstance(getattr(model, field.name), np.ndarray)
    }
    arrays |= {name: np.frombuffer(orjson.dumps(getattr(model, name)), dtype=np.uint8) for name in _TEXTS}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def write(base: Path, version: str, model: RecommenderModel, about: Mapping[str, Any]) -> Path:
    """Write the version's folder. `about`: JSON-ready, such as trained_at, snapshot, metrics. Returns the folder.

    A folder of that version that is already there is replaced.
    """
    base.mkdir(parents=True, exist_ok=True)
    content = packed(model)
    said = {
        **about,
        "schema": SCHEMA,
        "version": version,
        "kind": model.kind,
        "blend": dataclasses.asdict(model.blend),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    folder = base / version
    with tempfile.TemporaryDirectory(dir=base, prefix=".writing-") as scratch:
        aside = Path(scratch) / "model"
        aside.mkdir(mode=0o755)
        (aside / ARRAYS).write_bytes(content)
        (aside / ABOUT).write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
        if folder.exists():
            folder.rename(Path(scratch) / "before")
        aside.rename(folder)
    return folder


def read(folder: Path) -> tuple[RecommenderModel, dict[str, Any]]:
    """The model of a folder, and what model.json says of it.

    Raises:
        ModelError: a file is missing, damaged or of another layout.
    """
    try:
        about = orjson.loads((folder / ABOUT).read_bytes())
        content = (folder / ARRAYS).read_bytes()
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{folder}: no recommender, got {error}, expected {ABOUT} and {ARRAYS}. {_AGAIN}") from error
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        got = about.get("schema") if isinstance(about, dict) else about
        raise ModelError(f"{folder / ABOUT}: another layout, got schema {got!r}, expected {SCHEMA}. {_AGAIN}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != about.get("sha256"):
        raise ModelError(f"{folder / ARRAYS}: damaged, got sha256 {digest}, expected {about.get('sha256')}. {_AGAIN}")
    try:
        return unpacked(about, content), about
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{folder}: unreadable, got {error!r}, expected layout {SCHEMA}. {_AGAIN}") from error


def unpacked(about: Mapping[str, Any], content: bytes) -> RecommenderModel:
    """`packed` undone. `about`: with `kind` and `blend`. Raises KeyError, ValueError, TypeError, EOFError or BadZipFile."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        values: dict[str, Any] = {name: arrays[name] for name in arrays.files}
    texts: dict[str, Any] = {name: tuple(map(str, orjson.loads(values.pop(name).tobytes()))) for name in _TEXTS}
    blend = dict(about["blend"])
    confidence = Confidence(**blend.pop("confidence"))
    return RecommenderModel(kind=about["kind"], blend=Blend(confidence=confidence, **blend), **texts, **values)


def point(base: Path, version: str) -> None:
    """Let `version` be the one served from now on: promotion and rollback alike. Older versions than KEPT go.

    Raises:
        ModelError: there is no such folder.
    """
    if not (base / version / ABOUT).is_file():
        there = sorted(path.parent.name for path in base.glob(f"*/{ABOUT}"))
        raise ModelError(f"recommender: no version {version!r} to serve, got {there} in {base}, expected one of them")
    handle, name = tempfile.mkstemp(dir=base, prefix=".current-")
    with os.fdopen(handle, "w", encoding="utf-8") as pointer:
        pointer.write(f"{version}\n")
        pointer.flush()
        os.fsync(pointer.fileno())
    os.chmod(name, 0o644)  # mkstemp's own is for its user alone; serving may be another
    os.replace(name, base / CURRENT)
    _prune(base, version)


def current(base: Path) -> Path:
    """Folder of the version served.

    Raises:
        ModelError: there is no pointer, or what it says is no name of a folder.
    """
    try:
        version = (base / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"recommender: none is served, got {error}, expected {base / CURRENT}. {_AGAIN}") from error
    if not version or version != Path(version).name or version.startswith("."):
        raise ModelError(f"{base / CURRENT}: got {version[:100]!r}, expected the name of a folder beside it. {_AGAIN}")
    return base / version


def _prune(base: Path, served: str) -> None:
    folders = sorted((path.parent for path in base.glob(f"*/{ABOUT}")), key=lambda path: (path / ABOUT).stat().st_mtime)
    for folder in folders[:-KEPT]:
        if folder.name != served:
            shutil.rmtree(folder, ignore_errors=True)
