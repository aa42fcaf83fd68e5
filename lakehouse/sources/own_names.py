"""Fields that a record holds under names of the sender's own: an object, or a list of names with their values, as analytics tools export them.

    {"plan": "gold"}                                          an object
    [{"key": "plan", "value": {"string_value": "gold"}}]      a parameter of Google Analytics: one of its values is filled
    [{"name": "plan", "value": "gold"}]                       a pair

A number that is written as text beside a name such as int_value is a number. `(not set)` is Google's word for nothing.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from lakehouse.events.document import says_nothing

_NAMES = ("key", "name")
_NOT_SET = "(not set)"
_TEXT = "string_value"


def own_names(found: Iterable[Any], taken: Collection[str]) -> dict[str, Any]:
    """Name -> value of everything that says something and whose name is not taken; of two of a name the first."""
    own: dict[str, Any] = {}
    for name, value in (pair for node in found for pair in _pairs(node)):
        if name and name not in taken and value != _NOT_SET and not says_nothing(value):
            own.setdefault(name, value)
    return own


def _pairs(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        for one in node:
            if isinstance(one, dict) and "value" in one:
                name = next((said for key in _NAMES if isinstance(said := one.get(key), str)), "")
                yield name, _value(one["value"])


def _value(sent: Any) -> Any:
    """Of an object with a value of each kind the one that is filled."""
    if not isinstance(sent, dict):
        return sent
    kind = next((kind for kind, one in sent.items() if kind.endswith("_value") and not says_nothing(one)), None)
    return None if kind is None else sent[kind] if kind == _TEXT else _number(sent[kind])


def _number(sent: Any) -> Any:
    if not isinstance(sent, str):
        return sent
    try:
        return int(sent) if sent.lstrip("-").isdecimal() else float(sent)
    except ValueError:
        return sent
