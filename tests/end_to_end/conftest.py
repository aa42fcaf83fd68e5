"""Tests of whole runs run what the product runs: compiled plans."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _as_used(compiled: None) -> None: ...
