"""A checked rule: what `parse` makes of a text, and both evaluators read. Nothing of the text itself is left in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from lakehouse.rules.vocabulary import Type


@dataclass(frozen=True, slots=True)
class Constant:
    """`value`: bool, float, str, microseconds since 1970 (int), tuple of str, or None for null."""

    value: object
    type: Type


@dataclass(frozen=True, slots=True)
class Read:
    """One word of the vocabulary."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Apply:
    """One operator of lakehouse/rules/operators.py. `extra`: what belongs to it and is no expression, such as a zone."""

    operator: str
    arguments: tuple["Expression", ...]
    type: Type
    extra: str | int | None = None


Expression = Constant | Read | Apply


def reads(expression: Expression) -> Iterator[str]:
    """Every word the expression reads, as often as it does."""
    if isinstance(expression, Read):
        yield expression.name
    elif isinstance(expression, Apply):
        for argument in expression.arguments:
            yield from reads(argument)


def conjuncts(expression: Expression) -> Iterator[Expression]:
    """The parts that must all hold for the expression to hold."""
    if isinstance(expression, Apply) and expression.operator == "and":
        for argument in expression.arguments:
            yield from conjuncts(argument)
    else:
        yield expression
