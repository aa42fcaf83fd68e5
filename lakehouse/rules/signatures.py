"""What each operator of a rule takes and gives. A signature says the type of the answer, or None when it cannot take them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from lakehouse.rules.expression import Expression
from lakehouse.rules.vocabulary import Type

Signature = Callable[[Sequence[Expression]], Type | None]
_ANY = 10_000


def _exactly(gives: Type, *takes: Type) -> Signature:
    def signature(arguments: Sequence[Expression]) -> Type | None:
        fits = len(arguments) == len(takes)
        return gives if fits and all(_is(a, t) for a, t in zip(arguments, takes, strict=True)) else None

    return signature


def _all(takes: Type, gives: Type, least: int = 1, most: int = _ANY) -> Signature:
    def signature(arguments: Sequence[Expression]) -> Type | None:
        return (
            gives if least <= len(arguments) <= most and all(_is(argument, takes) for argument in arguments) else None
        )

    return signature


def _alike(gives: Type | None, least: int, most: int, *, types: tuple[Type, ...], skip: int = 0) -> Signature:
    """All of one of the types, at least one of them no plain null. `gives` None: that type."""

    def signature(arguments: Sequence[Expression]) -> Type | None:
        if not least <= len(arguments) <= most or (skip and not _is(arguments[0], "boolean")):
            return None
        found = {one.type for one in arguments[skip:]} - {"null"}
        if len(found) != 1:
            return None
        (type_,) = found
        return (gives or type_) if type_ in types else None

    return signature


def _is(argument: Expression, type_: Type) -> bool:
    return argument.type in (type_, "null")


_ORDERED: tuple[Type, ...] = ("number", "text", "time")
_SCALAR: tuple[Type, ...] = (*_ORDERED, "boolean")
_EVERY: tuple[Type, ...] = (*_SCALAR, "texts")
_CALCULATE = _exactly("number", "number", "number")

INFIX: Mapping[str, Signature] = {
    "and": _all("boolean", "boolean"),
    "or": _all("boolean", "boolean"),
    "=": _alike("boolean", 2, 2, types=_SCALAR),
    "<>": _alike("boolean", 2, 2, types=_SCALAR),
    "<=>": _alike("boolean", 2, 2, types=_SCALAR),
    **{name: _alike("boolean", 2, 2, types=_ORDERED) for name in ("<", "<=", ">", ">=")},
    "in": _alike("boolean", 2, _ANY, types=_ORDERED),
    "like": _exactly("boolean", "text", "text"),
    **dict.fromkeys("+-*/", _CALCULATE),
}
PREFIX: Mapping[str, Signature] = {
    "not": _exactly("boolean", "boolean"),
    "negative": _exactly("number", "number"),
}
FUNCTIONS: Mapping[str, Signature] = {
    "abs": _exactly("number", "number"),
    "array": _all("text", "texts", least=0),
    "array_contains": _exactly("boolean", "texts", "text"),
    "arrays_overlap": _exactly("boolean", "texts", "texts"),
    "coalesce": _alike(None, 1, _ANY, types=_EVERY),
    "concat": _all("text", "text", least=2),
    "contains": _exactly("boolean", "text", "text"),
    "datediff": _exactly("number", "time", "time"),
    "dayofweek": _exactly("number", "time"),
    "endswith": _exactly("boolean", "text", "text"),
    "greatest": _alike(None, 2, _ANY, types=_ORDERED),
    "hour": _exactly("number", "time"),
    "if": _alike(None, 3, 3, types=_EVERY, skip=1),
    "least": _alike(None, 2, _ANY, types=_ORDERED),
    "length": _exactly("number", "text"),
    "lower": _exactly("text", "text"),
    "minute": _exactly("number", "time"),
    "size": _exactly("number", "texts"),
    "startswith": _exactly("boolean", "text", "text"),
    "trim": _exactly("text", "text"),
    "upper": _exactly("text", "text"),
}

# sqlglot's nodes whose children are the operator's arguments, in order.
NODES: Mapping[type[Any], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "<=>",
    exp.Not: "not",
    exp.Neg: "negative",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Abs: "abs",
    exp.Array: "array",
    exp.ArrayContains: "array_contains",
    exp.ArraySize: "size",
    exp.Coalesce: "coalesce",
    exp.Concat: "concat",
    exp.Contains: "contains",
    exp.DateDiff: "datediff",
    exp.DayOfWeek: "dayofweek",
    exp.EndsWith: "endswith",
    exp.Greatest: "greatest",
    exp.Hour: "hour",
    exp.Least: "least",
    exp.Length: "length",
    exp.Lower: "lower",
    exp.Minute: "minute",
    exp.StartsWith: "startswith",
    exp.Trim: "trim",
    exp.Upper: "upper",
}
