"""What makes a function impure, by its syntax tree, and through every function of ours that it calls.

An impurity is a word of Spark, Python or SQL that starts work, writes, or asks anything but the arguments: an action, a write,
a cache, the session, a clock, chance, a file, the environment. Functions are followed by name through the imports of ours;
methods of objects are not, for a name alone does not say whose they are.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent
OURS = ("lakehouse", "serving", "streaming", "batch", "ml")

ACTIONS = {
    "collect", "toPandas", "toArrow", "toLocalIterator", "take", "head", "tail", "isEmpty", "show", "foreach",
    "foreachPartition", "foreachBatch",
}  # fmt: skip
WRITES = {
    "save", "saveAsTable", "insertInto", "write_text", "write_bytes", "createTempView", "createOrReplaceTempView",
    "createOrReplaceGlobalTempView", "start",
}  # fmt: skip
WRITERS = {"write", "writeTo", "writeStream"}  # attributes, not called
KEPT = {"cache", "persist", "unpersist", "checkpoint", "localCheckpoint"}
CLOCKS = {
    "now", "utcnow", "today", "current_timestamp", "current_date", "localtimestamp", "curdate", "monotonic", "perf_counter",
    "time_ns", "unix_timestamp_now",
}  # fmt: skip
CHANCE = {"rand", "randn", "uuid", "uuid1", "uuid4", "urandom", "token_hex", "monotonically_increasing_id"}
READS = {"open", "read_text", "read_bytes", "getenv", "input_file_name"}
SESSIONS = {"getOrCreate", "getActiveSession", "active"}
CALLED = {
    **dict.fromkeys(ACTIONS, "an action"),
    **dict.fromkeys(WRITES, "a write"),
    **dict.fromkeys(KEPT, "a cache"),
    **dict.fromkeys(CLOCKS, "a clock"),
    **dict.fromkeys(CHANCE, "chance"),
    **dict.fromkeys(READS, "a reading"),
    **dict.fromkeys(SESSIONS, "the session"),
}
ROOTS = {
    "spark": "the session",
    "lake": "the lake",
    "random": "chance",
    "secrets": "chance",
}  # `random.choice`, `lake.read`
COLUMN_FUNCTIONS = {"F", "functions"}  # `F.count` makes a column; `frame.count` starts a job
SQL = re.compile(
    r"\b(current_timestamp|current_date|localtimestamp|now|rand|randn|random|uuid|input_file_name)\s*\(", re.I
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One module of ours: its functions and classes by name, and what its imports name: (module, name or None)."""

    name: str
    functions: dict[str, Function]
    methods: dict[str, Function]
    imports: dict[str, tuple[str, str | None]]


def source(name: str, text: str) -> Source:
    tree = ast.parse(text)
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    methods = {
        f"{owner.name}.{node.name}": node
        for owner in tree.body
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, Function)
    }
    imports: dict[str, tuple[str, str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imports |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            imports |= {alias.asname: (alias.name, None) for alias in node.names if alias.asname}
    return Source(name, functions, methods, imports)


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def module(name: str) -> Source | None:
    """The module of ours of that name; None where there is none."""
    if name.partition(".")[0] not in OURS:
        return None
    base = PROJECT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return source(name, path.read_text(encoding="utf-8"))
    return None


def impurities(start: Source, function: str) -> list[str]:
    """`<module>.<function>: <line>: <what> (<kind>)` of the function and of every function of ours it reaches."""
    reached: set[tuple[str, str]] = set()
    waiting = [(start, function)]
    faults: list[str] = []
    while waiting:
        inside, name = waiting.pop()
        if (inside.name, name) in reached:
            continue
        reached.add((inside.name, name))
        node = (inside.functions | inside.methods)[name]
        faults += [f"{inside.name}.{name}: {fault}" for fault in _direct(node, inside)]
        waiting += _called(node, inside)
    return sorted(faults)


def _direct(node: Function, inside: Source) -> Iterator[str]:
    docstrings = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Expr)}
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            yield from _of_call(part)
        elif isinstance(part, ast.Attribute):
            root = _root(part)
            if part.attr in WRITERS and root not in COLUMN_FUNCTIONS:
                yield f"line {part.lineno}: .{part.attr} (a write)"
            elif part.attr in ("sparkSession", "sparkContext"):
                yield f"line {part.lineno}: .{part.attr} (the session)"
            elif part.attr == "environ":
                yield f"line {part.lineno}: environ (a reading)"
            elif isinstance(part.value, ast.Name) and part.value.id in ROOTS:
                yield f"line {part.lineno}: {part.value.id}.{part.attr} ({ROOTS[part.value.id]})"
        elif isinstance(part, ast.Name) and inside.imports.get(part.id) in _IMPURE_IMPORTS:
            yield f"line {part.lineno}: {part.id} (a reading)"
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in docstrings:
            yield from (f"line {part.lineno}: {word} (SQL)" for word in SQL.findall(part.value))


_IMPURE_IMPORTS = {("lakehouse.config", "load"), ("lakehouse.config.settings", "load"), ("os", "environ")}


def _of_call(call: ast.Call) -> Iterator[str]:
    match call.func:
        case ast.Name(id=name) if name in CALLED.keys() & (CLOCKS | CHANCE | READS):
            yield f"line {call.lineno}: {name}() ({CALLED[name]})"
        case ast.Attribute(attr="time", value=ast.Name(id="time")):
            yield f"line {call.lineno}: time.time() (a clock)"
        case ast.Attribute(attr="shuffle", value=ast.Name(id=root)) if root in COLUMN_FUNCTIONS:
            yield f"line {call.lineno}: {root}.shuffle() (chance)"
        case ast.Attribute(attr="count" | "first", value=owner) if not call.args and not _is_grouped(owner):
            yield f"line {call.lineno}: .{call.func.attr}() (an action)"
        case ast.Attribute(attr=name, value=owner) if name in CALLED:
            is_column = _root(owner) in COLUMN_FUNCTIONS and name in ACTIONS | KEPT
            if not is_column:
                yield f"line {call.lineno}: .{name}() ({CALLED[name]})"


def _is_grouped(owner: ast.expr) -> bool:
    """`frame.groupBy(...).count()` makes a frame."""
    return isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute) and owner.func.attr == "groupBy"


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _called(node: Function, inside: Source) -> list[tuple[Source, str]]:
    """Functions of ours that the body names: called, or handed on to be called."""
    reached = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            reached.append(_resolve(inside, part.id))
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in inside.imports:
            owner, name = inside.imports[part.value.id]
            imported = module(owner if name is None else f"{owner}.{name}")
            reached.append(_resolve(imported, part.attr) if imported else None)
    return [function for function in reached if function is not None]


def _resolve(inside: Source, name: str) -> tuple[Source, str] | None:
    if name in inside.functions:
        return inside, name
    if name in inside.imports:
        owner, original = inside.imports[name]
        imported = module(owner)
        if imported is not None and original is not None and imported is not inside:
            return _resolve(imported, original)
    return None
