"""The import contract of pyproject.toml holds: arrows point down, no package imports itself in a ring."""

import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.config import PROJECT


def test_the_import_contract_holds() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :]


def test_few_modules_stand_loose_in_the_package() -> None:
    loose = {path.name for path in (PROJECT / "lakehouse").glob("*.py")} - {"__init__.py"}
    assert loose == {"catalog.py", "errors.py", "jars.py", "job.py", "machine.py"}


RARELY_ASKED = {"phonenumbers.geodata", "scipy.stats", "scipy.optimize", "sklearn", "mlflow", "xgboost", "optuna"}


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        (
            "serving.__main__",
            {"deltalake", "pandas", "scipy", "phonenumbers.geodata", "sklearn", "mlflow", "xgboost", "optuna"},
        ),
        ("serving.app", RARELY_ASKED),
        ("lakehouse.queries.events", RARELY_ASKED),
        ("lakehouse.events.event_rows", RARELY_ASKED),
    ],
)
def test_a_process_starts_without_what_few_of_its_kind_need(module: str, unneeded: set[str]) -> None:
    """Each is a second or more of a start, and memory of every worker."""
    code = f"import sys, {module}; print(*{unneeded} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.split() == []
