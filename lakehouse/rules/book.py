"""The book of rules: `conf/rules.yaml` as frozen values, and which of them hold for a context."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from lakehouse.config.declarations import Acting, Caps, Declared, Name, Valid, checked, read_document, refuse
from lakehouse.errors import RuleError
from lakehouse.rules.evaluate import Predicate, Values, compile_predicate
from lakehouse.rules.expression import Apply, Constant, Expression, Read, conjuncts
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import VOCABULARY, Term, prepared

Effect = Literal["propose", "force", "forbid", "boost"]
# Words a rule is looked up by, when it asks for one value of them: the one with the most values first.
_INDEXED = ("product_id", "category", "segment", "event_name", "page_type", "event_type")


class Rule(Acting, Valid):
    """One rule. It acts on an offer, on products, or on a category of products; a forbid of nothing forbids every offer.

    `events`: those it waits for in the stream; none = only when somebody asks. One of the stream may name destinations.
    """

    name: Name
    owner: str
    description: str = ""
    when: str
    effect: Effect
    priority: int = Field(default=0, ge=-1000, le=1000)
    events: tuple[str, ...] = ()
    offer: str | None = None
    products: tuple[str, ...] = ()
    category: str | None = None
    weight: float = Field(default=2.0, gt=0, le=100)
    caps: Caps = Caps()
    is_enabled: bool = True

    @model_validator(mode="after")
    def _acts_on_something(self) -> Self:
        if self.effect != "forbid" and self.offer is None and not self.products and self.category is None:
            raise ValueError(f"effect: {self.effect} acts on nothing, expected an offer, products or a category")
        if self.events and self.offer is None:
            raise ValueError("events: a rule of the stream pushes an offer, expected 'offer'")
        if self.destinations and (not self.events or self.effect == "forbid"):
            raise ValueError(
                "destinations: only a rule of the stream that offers something acts by itself, expected 'events'"
            )
        return self


class Example(Declared):
    """What a rule is expected to say of a context; words that are not given are null."""

    rule: str
    given: Mapping[str, Any] = {}
    expect: bool


@dataclass(frozen=True)
class _Compiled:
    rule: Rule
    holds: Predicate
    starts: int | None
    ends: int | None


class RuleBook:
    """Rules, strongest first. A rule is looked at only where the one value it asks for is there."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        expressions: Mapping[str, Expression],
        examples: Sequence[Example],
        words: Mapping[str, Term] = VOCABULARY,
    ) -> None:
        self.by_name = rules
        self.words = words
        self.expressions = expressions
        self.examples = examples
        canonical = orjson.dumps([rule.model_dump(mode="json") for rule in rules.values()], option=orjson.OPT_SORT_KEYS)
        self.version = hashlib.sha256(canonical).hexdigest()[:12]
        ordered = sorted(
            (rule for rule in rules.values() if rule.is_enabled), key=lambda rule: (-rule.priority, rule.name)
        )
        self._compiled = [_compile(rule, expressions[rule.name]) for rule in ordered]
        self._always: list[int] = []
        self._by_value: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position, compiled in enumerate(self._compiled):
            key = _looked_up_by(expressions[compiled.rule.name])
            if key is None:
                self._always.append(position)
            else:
                self._by_value[key[0]][key[1]].append(position)

    def matching(self, context: Values) -> list[Rule]:
        """The rules that hold, strongest first. `context`: prepared."""
        now = context["now"]
        return [
            compiled.rule
            for compiled in map(self._compiled.__getitem__, self._candidates(context))
            if compiled.holds(context) is True and _is_in_force(compiled, now)
        ]

    def holds(self, rule: Rule, context: Values) -> bool:
        """Whether this rule, enabled and in force, holds."""
        return rule.is_enabled and rule in self.matching(context)

    def of_the_stream(self) -> list[Rule]:
        return [compiled.rule for compiled in self._compiled if compiled.rule.events]

    def _candidates(self, context: Values) -> Iterable[int]:
        positions = self._always
        for name, by_value in self._by_value.items():
            value = context[name]
            if value is not None and (more := by_value.get(value)):  # type: ignore[call-overload] # a text
                positions = [*positions, *more]
        return positions if positions is self._always else sorted(positions)


def read_rules(
    path: Path,
    offers: Collection[str] | None = None,
    destinations: Collection[str] | None = None,
    words: Mapping[str, Term] = VOCABULARY,
) -> RuleBook:
    """Read and check the file. `offers`, `destinations`: names a rule may act on or at; None = any. `words`: what it may read.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    document = read_document(path, "rules", "tests")
    faults: list[str] = []
    rules: dict[str, Rule] = {}
    expressions: dict[str, Expression] = {}
    place = f"{path.name}: rules"
    for number, rule in checked(document.get("rules"), Rule, place, faults):
        if offers is not None and rule.offer is not None and rule.offer not in offers:
            faults.append(
                f"{place}[{number}].offer: no offer '{rule.offer}', expected one of {', '.join(sorted(offers))}"
            )
        faults += rule.unknown(f"{place}[{number}]", destinations)
        try:
            expressions[rule.name] = parse(rule.when, words)
            rules[rule.name] = rule
        except RuleError as error:
            faults.append(f"{place}[{number}] {rule.name}.when: {error}")
    examples = [one for _, one in checked(document.get("tests") or [], Example, f"{path.name}: tests", faults)]
    for number, example in enumerate(examples):
        unknown = [name for name in example.given if name not in words]
        if example.rule not in rules or unknown:
            what = f"unknown column '{unknown[0]}'" if unknown else f"no rule '{example.rule}'"
            faults.append(f"{path.name}: tests[{number}]: {what}")
    refuse(faults)
    return RuleBook(rules, expressions, examples, words)


def _compile(rule: Rule, expression: Expression) -> _Compiled:
    starts, ends = (prepared({"now": at})["now"] for at in (rule.valid_from, rule.valid_to))
    return _Compiled(rule, compile_predicate(expression), starts, ends)  # type: ignore[arg-type] # times


def _is_in_force(compiled: _Compiled, now: Any) -> bool:
    if compiled.starts is None and compiled.ends is None:
        return True
    if now is None:
        return False
    return (compiled.starts is None or now >= compiled.starts) and (compiled.ends is None or now < compiled.ends)


def _looked_up_by(expression: Expression) -> tuple[str, str] | None:
    """The word and its one value without which the rule cannot hold."""
    asked: dict[str, str] = {}
    for part in conjuncts(expression):
        match part:
            case Apply("=", (Read(name, "text"), Constant(str(value)))) | Apply(
                "=", (Constant(str(value)), Read(name, "text"))
            ):
                asked.setdefault(name, value)
    return next(((name, asked[name]) for name in _INDEXED if name in asked), None)
