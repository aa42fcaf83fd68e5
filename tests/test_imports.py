"""The import contract of pyproject.toml holds: arrows point down, no package imports itself in a ring."""

import subprocess
import sys
from pathlib import Path

from lakehouse.config import PROJECT


def test_the_import_contract_holds() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :]


def test_few_modules_stand_loose_in_the_package() -> None:
    loose = {path.name for path in (PROJECT / "lakehouse").glob("*.py")} - {"__init__.py"}
    assert loose == {"catalog.py", "errors.py", "jars.py", "job.py", "machine.py"}


def test_the_service_starts_without_what_only_the_lake_needs() -> None:
    """Each is seconds of a start, and memory of every worker."""
    code = "import sys, serving.__main__; print(*{'deltalake', 'pandas', 'scipy', 'sklearn', 'mlflow'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.split() == []
