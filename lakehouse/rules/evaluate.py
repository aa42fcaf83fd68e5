"""Rules in Python: a checked expression becomes one function of a prepared context. SQL's three-valued logic; None is null."""

from collections.abc import Callable, Mapping
from typing import Any

from lakehouse.errors import RuleError
from lakehouse.rules import operators
from lakehouse.rules.expression import Apply, Constant, Expression, Read, reads

Values = Mapping[str, object]  # as lakehouse/rules/vocabulary.py: prepared
Predicate = Callable[[Values], Any]


def compile_predicate(expression: Expression) -> Predicate:
    """The function that says what the expression is for a context: a value, or None for null."""
    if isinstance(expression, Constant):
        value = expression.value
        return lambda _: value
    if isinstance(expression, Read):
        name = expression.name
        return lambda context: context[name]
    special = _special(expression)
    if special is not None:
        return special
    arguments = [compile_predicate(argument) for argument in expression.arguments]
    if expression.operator in operators.LAZY:
        return _LAZY[expression.operator](*arguments)
    return _applied(_function(expression), arguments)


def _function(expression: Apply) -> Callable[..., Any]:
    match expression.operator, expression.extra:
        case "shift", int(by):
            return operators.shift(by)
        case "units_between", int(unit):
            return operators.units_between(unit)
        case "in_zone", str(zone):
            return operators.in_zone(zone)
    return operators.SIMPLE[expression.operator]


def _special(expression: Apply) -> Predicate | None:
    """Text compared with a constant, or looked for among several: most of what rules do, at half the price."""
    match expression.operator, expression.arguments:
        case "=", (Read(name, "text"), Constant(str(value))) if expression.type == "boolean":

            def equals(context: Values) -> bool | None:
                own = context[name]
                return None if own is None else own == value

            return equals
        case "in", (asked, *members) if all(
            isinstance(one, Constant) and isinstance(one.value, str) for one in members
        ):
            said = compile_predicate(asked)
            among = frozenset(one.value for one in members if isinstance(one, Constant))

            def is_among(context: Values) -> bool | None:
                own = said(context)
                return None if own is None else own in among

            return is_among
    return None


def _applied(function: Callable[..., Any], arguments: list[Predicate]) -> Predicate:
    if len(arguments) == 1:
        (only,) = arguments
        return lambda context: function(only(context))
    if len(arguments) == 2:
        left, right = arguments
        return lambda context: function(left(context), right(context))
    return lambda context: function(*(argument(context) for argument in arguments))


def _junction(decisive: bool) -> Callable[..., Predicate]:
    """AND, which one False decides, and OR, which one True does; else one null makes it null."""

    def build(*arguments: Predicate) -> Predicate:
        def apply(context: Values) -> bool | None:
            answer: bool | None = not decisive
            for argument in arguments:
                value: bool | None = argument(context)
                if value is decisive:
                    return decisive
                if value is None:
                    answer = None
            return answer

        return apply

    return build


def _if(condition: Predicate, then: Predicate, otherwise: Predicate) -> Predicate:
    return lambda context: then(context) if condition(context) is True else otherwise(context)


def _coalesce(*arguments: Predicate) -> Predicate:
    def apply(context: Values) -> Any:
        for argument in arguments:
            value = argument(context)
            if value is not None:
                return value
        return None

    return apply


_LAZY: Mapping[str, Callable[..., Predicate]] = {
    "and": _junction(decisive=False),
    "or": _junction(decisive=True),
    "if": _if,
    "coalesce": _coalesce,
}


def refuse_division_by_zero(expression: Expression) -> None:
    """Of a constant, which is zero in every context; of a word, what is divided by zero is null.

    Raises:
        RuleError: there is one.
    """
    if not isinstance(expression, Apply):
        return
    for argument in expression.arguments:
        refuse_division_by_zero(argument)
    if expression.operator == "/" and not set(reads(expression.arguments[1])):
        by = expression.arguments[1]
        if (by.value if isinstance(by, Constant) else compile_predicate(by)({})) == 0:
            raise RuleError("/: got a division by zero, expected a number that is none. Mend the expression")
