"""Rows of gold -> rows as a destination gets them: columns named anew, expressions evaluated, a key and a hash of what is said. Pure.

A column that is taken as it is keeps its type: money stays decimal. What is calculated is a number of the rules, a double.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa

from lakehouse.errors import RuleError
from lakehouse.exports.keys import key_text
from lakehouse.rules.evaluate import Predicate, compile_predicate
from lakehouse.rules.expression import Expression, Read, reads
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import READERS, Term, Type
from lakehouse.tables.contract import Table

KEY, HASH, PROFILE = "_key", "_hash", "profile_id"
_TYPES: Mapping[str, Type] = {"string": "text", "boolean": "boolean", "timestamp": "time", "array<string>": "texts"}
_NUMBERS = ("bigint", "int", "double", "float", "decimal")
_ARROW: Mapping[Type, pa.DataType] = {
    "number": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "texts": pa.list_(pa.string()),
}
# The casts, one after the other, that give what READERS do.
_AT_ONCE: Mapping[Type, tuple[pa.DataType, ...]] = {
    "number": (pa.float64(),),
    "text": (pa.string(),),
    "boolean": (pa.bool_(),),
    "time": (pa.timestamp("us", tz="UTC"), pa.int64()),
}
_GIVES: tuple[Type, ...] = ("number", "text", "boolean", "time", "texts")
_EPOCH = datetime.fromtimestamp(0, UTC)
_HASH_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class RowMapping:
    """`columns`: name at the destination -> expression. `words`: what expressions may read. `where`: None = every row."""

    columns: Mapping[str, Expression]
    key: tuple[str, ...]
    where: Expression | None
    words: Mapping[str, Term]

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the tables that are needed, profile_id among them."""
        read = {name for one in (*self.columns.values(), *([self.where] if self.where else [])) for name in reads(one)}
        return tuple(sorted(read | {PROFILE}))


def mapping_of(
    tables: Sequence[Table], columns: Mapping[str, str], key: Sequence[str], where: str | None
) -> RowMapping:
    """Check the expressions.

    Raises:
        RuleError: one cannot be used; its place is told.
    """
    words = {
        column.name: Term(column.name, type_, table.name, column.comment)
        for table in reversed(tables)
        for column in table.columns
        if (type_ := _type_of(column.type)) is not None
    }
    parsed = {name: _parsed(text, words, _GIVES, f"columns.{name}") for name, text in columns.items()}
    if (listed := next((name for name in key if name in parsed and parsed[name].type == "texts"), None)) is not None:
        raise RuleError(f"key: '{listed}' is a list, expected a text, a number, a truth or a time. Name another column")
    condition = None if where is None else _parsed(where, words, ("boolean",), "where")
    return RowMapping(columns=parsed, key=tuple(key), where=condition, words=words)


def mapped(rows: pa.Table, mapping: RowMapping, *, secret: bytes) -> pa.Table:
    """The rows that `where` lets through: KEY, HASH, profile_id, and a column for each that is mapped.

    KEY is null where a column of the key is. HASH: of all mapped columns, keyed by `secret`, so that nobody can try values against it.
    """
    context = _Context(rows, mapping)
    if mapping.where is not None:
        holds = compile_predicate(mapping.where)
        rows = rows.filter(pa.array([holds(one) is True for one in context.rows(mapping.where)], pa.bool_()))
        context = _Context(rows, mapping)
    made = {name: _column(rows, expression, context) for name, expression in mapping.columns.items()}
    table = pa.table({PROFILE: rows[PROFILE], **{f"={name}": column for name, column in made.items()}})
    values = [made[name].to_pylist() for name in mapping.columns]
    keys = [list(mapping.columns).index(name) for name in mapping.key]
    said = list(zip(*values, strict=True)) if rows.num_rows else []
    table = table.append_column(KEY, pa.array([key_text([one[at] for at in keys]) for one in said], pa.string()))
    head = orjson.dumps([[name, str(plain(column.type))] for name, column in made.items()])
    hashes = [row_hash(head, one, secret) for one in said]
    return table.append_column(HASH, pa.array(hashes, pa.string()))


def mapped_columns(rows: pa.Table) -> list[str]:
    """Names at the destination, of what `mapped` made."""
    return [name[1:] for name in rows.column_names if name.startswith("=")]


def row_hash(head: bytes, values: Sequence[Any], secret: bytes) -> str:
    """Of what a row says, and under which names and types: a mapping that changes changes every hash."""
    said = orjson.dumps(values, default=str, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return hashlib.blake2b(head + said, digest_size=_HASH_BYTES, key=secret).hexdigest()


def _parsed(text: str, words: Mapping[str, Term], gives: Sequence[Type], place: str) -> Expression:
    try:
        return parse(text, words, gives)
    except RuleError as error:
        raise RuleError(f"{place}: {error}") from error


def _type_of(sql: str) -> Type | None:
    return "number" if sql.startswith(_NUMBERS) else _TYPES.get(sql)


class _Context:
    """Rows as rules compute with them; each column is converted once, when an expression reads it."""

    def __init__(self, rows: pa.Table, mapping: RowMapping) -> None:
        self._rows = rows
        self._words = mapping.words
        self._read: dict[str, list[Any]] = {}

    def rows(self, expression: Expression) -> list[dict[str, Any]]:
        names = sorted(set(reads(expression)))
        columns = [self._column(name) for name in names]
        if not columns:
            return [{}] * self._rows.num_rows
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def _column(self, name: str) -> list[Any]:
        if name not in self._read:
            type_, column = self._words[name].type, self._rows[name]
            # Many at once by Arrow, where it gives the very value. Of decimals its doubles may be others than Python's.
            if type_ in _AT_ONCE and not pa.types.is_decimal(column.type):
                for form in _AT_ONCE[type_]:
                    column = column.cast(form)
                self._read[name] = column.to_pylist()
            else:
                read = READERS[type_]
                self._read[name] = [None if value is None else read(value) for value in column.to_pylist()]
        return self._read[name]


def _column(rows: pa.Table, expression: Expression, context: _Context) -> pa.ChunkedArray | pa.Array:
    if isinstance(expression, Read):
        return rows[expression.name]
    evaluate: Predicate = compile_predicate(expression)
    back: Callable[[Any], Any] = _BACK.get(expression.type, lambda value: value)
    values = [evaluate(one) for one in context.rows(expression)]
    return pa.array([None if value is None else back(value) for value in values], _ARROW[expression.type])


_BACK: Mapping[Type, Callable[[Any], Any]] = {
    "time": lambda micros: _EPOCH + timedelta(microseconds=micros),
    "texts": list,
}


def plain(type_: pa.DataType) -> pa.DataType:
    """A type in the one form we use: Delta's readers give text and lists in several."""
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return pa.list_(plain(type_.value_type)) if pa.types.is_list(type_) or pa.types.is_large_list(type_) else type_
