"""The examples in docstrings hold: a test for every module that has one, and nothing else is imported.

A job is run, not imported: its examples would never be looked at, so it has none.
"""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.purity import PROJECT, module_name

PACKAGES = ("lakehouse", "serving")
JOBS = ("streaming", "batch", "ml")


def with_examples(folders: tuple[str, ...]) -> list[str]:
    files = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]
    return [module_name(path) for path in files if _has_examples(path)]


def _has_examples(path: Path) -> bool:
    return any(line.lstrip().startswith(">>>") for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("name", with_examples(PACKAGES))
def test_the_examples_of_a_module_hold(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0, "an example that is in no docstring is not run"
    assert outcome.failed == 0


def test_no_job_has_examples_that_nothing_would_run() -> None:
    assert with_examples(JOBS) == []
    assert [name for name in with_examples(PACKAGES) if name.endswith("__main__")] == []
