"""The examples in the report's docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest

from lakehouse.demo import report

MODULES = [f"lakehouse.demo.report.{module.name}" for module in pkgutil.iter_modules(report.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
