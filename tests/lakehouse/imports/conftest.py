"""Rows on their way lie in a folder of the test's own: two imports of one machine wait for each other."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLAKE_CACHE", str(tmp_path / "cache"))
