"""A fresh lake for the demo, without ever deleting a lake that the demo did not make."""

import shutil
from pathlib import Path

from lakehouse.config import Config
from lakehouse.errors import LakeError
from lakehouse.kafka import broker

MARKER = "_demo"


def fresh_lake(config: Config) -> None:
    """Empty the lake's folder if an earlier demo made it; mark it as the demo's.

    Raises:
        LakeError: the folder holds something the demo did not make.
    """
    root = Path(config.lake.root)
    if root.exists() and any(root.iterdir()):
        if not (root / MARKER).is_file():
            raise LakeError(
                f"demo: {config.lake.root} holds a lake or files of yours, expected an empty folder or an earlier demo's "
                "lake. Set STITCHLAKE__LAKE__ROOT to another folder"
            )
        broker.stop(config)
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text("made by ./spark-submit.sh demo; the next demo starts by deleting this folder\n")
