"""Tests of jobs of streams run what the product runs: compiled plans."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _as_used(compiled: None) -> None: ...
