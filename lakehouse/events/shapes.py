"""What events look like: which fields, of which kinds, how often; no value. From the JSON that silver.events keeps of what was sent."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from lakehouse.events.document import says_nothing
from lakehouse.events.tokens import HEX_DIGITS

TEXT, TIME, NUMBER, WHOLE, FLAG, TOKEN = "text", "time", "number", "whole number", "true or false", "token"
OTHER = "further fields"
MOST_FIELDS = 300  # of one event; a sender that makes up names must not fill a page
_DEEPEST = 6  # names in a path
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}|\Z)")
_TOKEN = re.compile(rf"[^:]{{1,100}}:[0-9a-f]{{{HEX_DIGITS}}}")


@dataclass
class Shape:
    """Of the events of one name. filled: field -> events in which it says something. kinds: (field, kind) -> events in which it is so."""

    events: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, properties: str | None) -> None:
        """One event more. `properties`: as silver.events has them."""
        self.events += 1
        found = set(leaves(_read(properties))) if properties else set()
        for name in {name for name, _ in found}:
            self.filled[name if name in self.filled or len(self.filled) < MOST_FIELDS else OTHER] += 1
        self.kinds.update(one for one in found if one[0] in self.filled)


def _read(properties: str) -> Any:
    try:
        return orjson.loads(properties)
    except orjson.JSONDecodeError:  # a number beyond what a machine's holds
        return json.loads(properties)


def leaves(node: Any, way: str = "") -> Iterator[tuple[str, str]]:
    """(path, kind) of every field that says something; the entries of a list are one, `lines[].sku`.

    >>> sorted(set(leaves({"lines": [{"sku": "a", "n": 1}, {"sku": 7}], "gift": True, "note": " "})))
    [('gift', 'true or false'), ('lines[].n', 'whole number'), ('lines[].sku', 'text'), ('lines[].sku', 'whole number')]
    """
    if says_nothing(node):
        return
    if isinstance(node, dict) and way.count(".") < _DEEPEST:
        for name, inner in node.items():
            yield from leaves(inner, f"{way}.{name}" if way else name)
    elif isinstance(node, list):
        for inner in node:
            yield from leaves(inner, f"{way}[]")
    else:
        yield way, kind(node)


def kind(value: Any) -> str:
    """What a value is, as a person would say it."""
    match value:
        case bool():
            return FLAG
        case int():
            return WHOLE
        case float():
            return NUMBER
        case str():
            return TOKEN if _TOKEN.fullmatch(value) else TIME if _TIME.match(value) else TEXT
    return "object"
