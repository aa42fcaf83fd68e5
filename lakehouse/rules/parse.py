"""From a rule's text to a checked expression: parsed with sqlglot, every node on a list, every type known.

What is not on the list does not get through: subqueries, windows, lambdas, casts, other functions. Types are never mixed,
so neither evaluator ever converts one silently.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from lakehouse.errors import RuleError
from lakehouse.rules.expression import Apply, Constant, Expression, Read
from lakehouse.rules.literals import instant, microseconds, short, sql_of, unit_of, zone_of
from lakehouse.rules.operators import UNITS
from lakehouse.rules.signatures import FUNCTIONS, INFIX, NODES, PREFIX
from lakehouse.rules.vocabulary import VOCABULARY, Term, Type

MOST_LETTERS = 4000
MOST_DEPTH = 40
Node = exp.Expr
_ARGUMENTS = ("this", "expression", "expressions")
_OF_DAYS = (exp.DateDiff, exp.DayOfWeek)  # sqlglot wraps what these take into a conversion to a date


def parse(text: str, words: Mapping[str, Term] = VOCABULARY, gives: Sequence[Type] = ("boolean",)) -> Expression:
    """The checked expression.

    Args:
        text: what somebody wrote.
        words: what it may read, by name.
        gives: types it may be of; a rule is a boolean.

    Raises:
        RuleError: what is wrong with the text and where, what was expected.
    """
    if len(text) > MOST_LETTERS:
        raise RuleError(f"got {len(text)} letters, expected at most {MOST_LETTERS}. Make two rules of it")
    try:
        statements = sqlglot.parse(text, dialect="spark")
    except (SqlglotError, RecursionError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise RuleError(f"no SQL expression, got '{short(text)}' ({first})") from error
    if len(statements) != 1 or statements[0] is None:
        raise RuleError(f"got {len(statements)} statements, expected one expression in '{short(text)}'")
    checked = _Checker(words).expression(statements[0], 0)
    if checked.type not in gives:
        expected = " or ".join("true or false" if type_ == "boolean" else f"a {type_}" for type_ in gives)
        raise RuleError(f"got a {checked.type}, expected {expected} from '{short(text)}'")
    return checked


class _Checker:
    """Goes down the tree; each method takes a node and its depth and gives the checked expression."""

    def __init__(self, words: Mapping[str, Term]) -> None:
        self._words = words

    def expression(self, node: Node, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise RuleError(f"more than {MOST_DEPTH} levels of nesting, expected fewer. Make two rules of it")
        if node.comments:
            raise RuleError("got a comment, expected none in an expression. Put it into 'description'")
        check = self._checks.get(type(node))
        if check is not None:
            return check(self, node, depth + 1)
        if type(node) in NODES:
            return self._call(NODES[type(node)], self._children(node), node, depth + 1)
        raise RuleError(f"{_what(node)} is not allowed, got '{short(sql_of(node))}', expected {_allowed()}")

    def _children(self, node: Node) -> list[Node]:
        """The operator's arguments. A node that has others, such as FILTER or a collation, is not what it seems."""
        others = [
            name for name, value in node.args.items() if name not in _ARGUMENTS and isinstance(value, list | Node)
        ]
        if any(node.args[name] for name in others):
            raise RuleError(f"{', '.join(others)} is not allowed in '{short(sql_of(node))}'")
        found = [node.args.get(name) for name in _ARGUMENTS[:2]]
        children = [one for one in found if isinstance(one, Node)] + list(node.args.get("expressions") or [])
        return [_of_a_day(child) for child in children] if isinstance(node, _OF_DAYS) else children

    def _call(self, name: str, children: Sequence[Node], node: Node, depth: int) -> Expression:
        arguments = tuple(self.expression(child, depth) for child in children)
        return self._apply(name, arguments, node)

    def _apply(self, name: str, arguments: tuple[Expression, ...], node: Node) -> Expression:
        signature = INFIX.get(name) or PREFIX.get(name) or FUNCTIONS[name]
        type_ = signature(arguments)
        if type_ is None:
            got = ", ".join(argument.type for argument in arguments)
            raise RuleError(f"{name}: cannot take ({got}), got '{short(sql_of(node))}'. Types are never mixed")
        return Apply(name, tuple(_typed(argument, arguments) for argument in arguments), type_)

    def _column(self, node: Node, depth: int) -> Expression:
        name = node.name.lower()
        if node.args.get("table") is not None or name not in self._words:
            nearest = difflib.get_close_matches(name, self._words, n=1, cutoff=0.0)
            hint = f"did you mean '{nearest[0]}'?" if nearest else "nothing can be read here"
            raise RuleError(f"unknown column '{short(sql_of(node))}'; {hint}")
        return Read(name, self._words[name].type)

    def _literal(self, node: Node, depth: int) -> Expression:
        if not node.args.get("is_string"):
            return Constant(float(node.name), "number")
        if "\\" in node.name:
            raise RuleError(f"a backslash in '{short(node.name)}' is not allowed, expected plain text")
        return Constant(node.name, "text")

    def _boolean(self, node: Node, depth: int) -> Expression:
        return Constant(bool(node.this), "boolean")

    def _null(self, node: Node, depth: int) -> Expression:
        return Constant(None, "null")

    def _inside(self, node: Node, depth: int) -> Expression:
        return self.expression(node.this, depth)

    def _junction(self, node: Node, depth: int) -> Expression:
        """A chain of ANDs (or ORs) is one operator of many arguments: a long rule is not a deep one."""
        name, parts, pending = ("and" if isinstance(node, exp.And) else "or"), [], [node]
        while pending:
            one = pending.pop()
            if isinstance(one, type(node)):
                pending += [one.expression, one.this]
            else:
                parts.append(one)
        return self._call(name, parts, node, depth)

    def _is(self, node: Node, depth: int) -> Expression:
        """IS NULL, IS TRUE, IS FALSE."""
        tested = self.expression(node.this, depth)
        if isinstance(node.expression, exp.Null):
            return Apply("is_null", (tested,), "boolean")
        if isinstance(node.expression, exp.Boolean):
            return self._apply("<=>", (tested, Constant(bool(node.expression.this), "boolean")), node)
        raise RuleError(f"IS: got '{short(sql_of(node))}', expected IS [NOT] NULL, TRUE or FALSE")

    def _in(self, node: Node, depth: int) -> Expression:
        among = node.args.get("expressions") or []
        if not among or node.args.get("query") or any(isinstance(one, exp.Null) for one in among):
            raise RuleError(f"IN: got '{short(sql_of(node))}', expected a list of values without null")
        return self._call("in", [node.this, *among], node, depth)

    def _between(self, node: Node, depth: int) -> Expression:
        if node.args.get("symmetric"):
            raise RuleError(f"BETWEEN SYMMETRIC is not allowed, got '{short(sql_of(node))}'")
        value = self.expression(node.this, depth)
        low, high = (self.expression(node.args[name], depth) for name in ("low", "high"))
        parts = (self._apply(">=", (value, low), node), self._apply("<=", (value, high), node))
        return Apply("and", parts, "boolean")

    def _like(self, node: Node, depth: int) -> Expression:
        if not isinstance(node.expression, exp.Literal):
            raise RuleError(f"LIKE: got '{short(sql_of(node.expression))}', expected a pattern in quotes")
        like = self._call("like", [node.this, node.expression], node, depth)
        return Apply("not", (like,), "boolean") if node.args.get("negate") else like

    def _case(self, node: Node, depth: int) -> Expression:
        if node.this is not None:
            raise RuleError(
                f"CASE <value> WHEN is not allowed, got '{short(sql_of(node))}', expected CASE WHEN <condition>"
            )
        default = node.args.get("default") or exp.Null()
        answer = self.expression(default, depth)
        for branch in reversed(node.args["ifs"]):
            condition, then = self.expression(branch.this, depth), self.expression(branch.args["true"], depth)
            answer = self._apply("if", (condition, then, answer), node)
        return answer

    def _if(self, node: Node, depth: int) -> Expression:
        children = [node.this, node.args["true"], node.args.get("false") or exp.Null()]
        return self._call("if", children, node, depth)

    def _time(self, node: Node, depth: int) -> Expression:
        """TIMESTAMP '2026-01-31 08:00:00': UTC, unless it names its offset."""
        is_time = node.args["to"].this in (exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMP)
        if isinstance(node, exp.TryCast) or not is_time or not isinstance(node.this, exp.Literal):
            raise RuleError(
                f"casts are not allowed, got '{short(sql_of(node))}', expected TIMESTAMP '2026-01-31 08:00:00'"
            )
        return Constant(instant(node.this.name), "time")

    def _shift(self, node: Node, depth: int) -> Expression:
        """A time plus or minus an interval; else numbers."""
        sign = 1 if isinstance(node, exp.Add) else -1
        if not isinstance(node.expression, exp.Interval):
            return self._call("+" if sign > 0 else "-", [node.this, node.expression], node, depth)
        moved = self.expression(node.this, depth)
        if moved.type != "time":
            raise RuleError(f"an interval is added to a time, got a {moved.type} in '{short(sql_of(node))}'")
        return Apply("shift", (moved,), "time", sign * microseconds(node.expression))

    def _units_between(self, node: Node, depth: int) -> Expression:
        unit = unit_of(node.args.get("unit"))
        times = tuple(self.expression(child, depth) for child in (node.expression, node.this))
        if any(time.type != "time" for time in times):
            raise RuleError(f"timestampdiff: got '{short(sql_of(node))}', expected two times")
        return Apply("units_between", times, "number", UNITS[unit])

    def _in_zone(self, node: Node, depth: int) -> Expression:
        """from_utc_timestamp: the clock on the wall of a zone."""
        name, moved = zone_of(node.args.get("zone")), self.expression(_uncast(node.this), depth)
        if moved.type != "time":
            raise RuleError(f"from_utc_timestamp: got a {moved.type} in '{short(sql_of(node))}', expected a time")
        return Apply("in_zone", (moved,), "time", name)

    def _function(self, node: Node, depth: int) -> Expression:
        name = str(node.this).lower()
        if name not in FUNCTIONS:
            raise RuleError(f"function '{short(name)}' is not allowed, expected {_allowed()}")
        return self._call(name, node.expressions, node, depth)

    _checks: Mapping[type[Node], Callable[..., Expression]] = {
        exp.Column: _column,
        exp.Literal: _literal,
        exp.Boolean: _boolean,
        exp.Null: _null,
        exp.Paren: _inside,
        exp.And: _junction,
        exp.Or: _junction,
        exp.Is: _is,
        exp.In: _in,
        exp.Between: _between,
        exp.Like: _like,
        exp.Case: _case,
        exp.If: _if,
        exp.Cast: _time,
        exp.TryCast: _time,
        exp.Add: _shift,
        exp.Sub: _shift,
        exp.TimestampDiff: _units_between,
        exp.AtTimeZone: _in_zone,
        exp.Anonymous: _function,
    }


def _typed(argument: Expression, beside: Sequence[Expression]) -> Expression:
    """Null as a null of the type of what stands beside it."""
    if argument.type != "null":
        return argument
    type_: Type = next((one.type for one in reversed(beside) if one.type != "null"), "boolean")
    return Constant(None, type_)


def _of_a_day(node: Node) -> Node:
    return node.this if isinstance(node, exp.TsOrDsToDate) else node


def _uncast(node: Node) -> Node:
    return node.this if isinstance(node, exp.Cast) and not isinstance(node.this, exp.Literal) else node


def _what(node: Node) -> str:
    return f"function '{node.sql_name().lower()}'" if isinstance(node, exp.Func) else f"'{node.key}'"


def _allowed() -> str:
    return f"operators, CASE, IN, BETWEEN, LIKE, IS NULL, or one of {', '.join(sorted(FUNCTIONS))}"
