"""The types hold, by pyproject.toml: mypy, strict. A test, so that the others need not wait for it."""

import subprocess
import sys

from lakehouse.config import PROJECT


def test_every_type_holds() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
