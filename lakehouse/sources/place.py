"""Where something lies in a record: `customer.email`, `line_items[0].sku`, `event_params[key=page_title].value.string_value`.

    name        of an object, or a column of a flat row; in backticks where it has a dot, a bracket or a star in it
    name*       everything whose name begins so; * alone, whatever the names
    [2]         one of a list, from 0
    []          every one of a list
    [key=text]  those of a list whose `key` is the text; [key^=text] those whose `key` begins with it; two of them: those that fit both

A text that holds a JSON object or list is opened on the way, as flat files write them. One of more levels than a record may have stays a text.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from lakehouse.errors import RuleError
from lakehouse.events.document import depth, says_nothing, text_of
from lakehouse.schemas.schema import MOST_LEVELS

_STEP = re.compile(
    r"""(?P<dot>[.])?(?:`(?P<quoted>[^`]+)`|(?P<name>[^.\[\]`]+))
    |\[(?:(?P<index>[0-9]{1,6})|(?P<key>[^\]=^]+)(?P<how>\^?=)(?P<value>[^\]]*)|(?P<every>))\]""",
    re.VERBOSE,
)
_LONGEST = 400
Step = Callable[[list[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """head: the first name; of a place that does not begin with one, or with any that begins so, nothing can be told from it. names: the steps of a place that only names objects, which is most of them; else empty, and `steps` says it."""

    text: str
    head: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]
    may_begin_anywhere: bool = False

    def among(self, names: Collection[str]) -> "Place | None":
        """What the place is in records of these names: one whose beginning is the start of a single name begins with that name. None = it is in none of them."""
        if not self.may_begin_anywhere:
            return self if self.head in names else None
        if not (start := self.head.removesuffix("*")):
            return self
        begun = [name for name in names if name.startswith(start)]
        if len(begun) != 1 or "`" in begun[0]:
            return self if begun else None
        return place(f"`{begun[0]}`{self.text[len(self.head) :]}", longest=None)

    def found(self, record: Any) -> list[Any]:
        """Everything that stands there and says something, in order; usually one."""
        if self.names:
            node = record
            for name in self.names:
                if node.__class__ is str:
                    node = _opened(node)
                node = node.get(name) if node.__class__ is dict else None
            return [] if says_nothing(node) else [node]
        return [node for node in self.held(record) if not says_nothing(node)]

    def held(self, record: Any) -> list[Any]:
        """Everything that stands there, also what says nothing."""
        nodes = [record]
        for step in self.steps:
            nodes = step([_opened(node) if node.__class__ is str else node for node in nodes])
        return nodes


def place(text: str, longest: int | None = _LONGEST) -> Place:
    """The place a text names. `longest`: what a declaration may be long; None = as long as it is.

    Raises:
        RuleError: it names none.
    """
    names: list[str] = []
    steps: list[Step] = []
    at = 0
    while at < len(text) and (longest is None or len(text) <= longest):
        found = _STEP.match(text, at)
        name = None if found is None else found["quoted"] or found["name"]
        # A dot stands before every name but the first, and before nothing else.
        if found is None or (name is not None and (found["dot"] is None) != (at == 0)):
            break
        if name is not None and not _is_start(found):
            names.append(name)
        steps.append(_step(found, name))
        at = found.end()
    if not text or at < len(text):
        raise RuleError(
            f"path: got '{text[:60]}', expected names with dots between them, such as customer.email or line_items[0].sku. "
            "Put a name with a dot in it into backticks"
        )
    first = _STEP.match(text)
    head = "" if first is None else first["quoted"] or first["name"] or ""
    is_open = first is None or (first["quoted"] is None and (first["name"] is None or _is_start(first)))
    return Place(text, head, tuple(names) if len(names) == len(steps) else (), tuple(steps), is_open)


def _step(found: re.Match[str], name: str | None) -> Step:
    if name is not None and _is_start(found):
        start = name[:-1]
        return lambda nodes: [
            inner for node in nodes if node.__class__ is dict for key, inner in node.items() if key.startswith(start)
        ]
    if name is not None:
        return lambda nodes: [node[name] for node in nodes if node.__class__ is dict and name in node]
    if found["index"] is not None:
        index = int(found["index"])
        return lambda nodes: [node[index] for node in nodes if node.__class__ is list and index < len(node)]
    if found["key"] is None:
        return lambda nodes: [inner for node in nodes if node.__class__ is list for inner in node]
    key, value, is_start = found["key"], found["value"], found["how"] == "^="

    def fits(inner: Any) -> bool:
        said = inner.get(key) if inner.__class__ is dict else None
        text = said if said.__class__ is str else text_of(said)
        return text is not None and (text.startswith(value) if is_start else text == value)

    return lambda nodes: [
        inner for node in nodes for inner in (node if node.__class__ is list else [node]) if fits(inner)
    ]


def _is_start(found: re.Match[str]) -> bool:
    return found["name"] is not None and found["name"].endswith("*")


def opened(node: Any) -> Any:
    """A text that is a JSON object or list as what it holds; anything else as it is."""
    return _opened(node) if node.__class__ is str else node


@lru_cache(maxsize=64)
def _opened(text: str) -> Any:
    """What a text that is a JSON object or list holds; any other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    if text.count("{") + text.count("[") > MOST_LEVELS and depth(text) > MOST_LEVELS:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
