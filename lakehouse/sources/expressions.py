"""The expressions of a source's file: parsed in the language of the rules over the fields of a record, and evaluated in plain Python."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from lakehouse.errors import RuleError
from lakehouse.rules.evaluate import compile_predicate, refuse_division_by_zero
from lakehouse.rules.expression import Read, reads
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import Term, Type
from lakehouse.sources.fields import FieldReader, FieldValues
from lakehouse.sources.place import Place, place

_EPOCH = datetime.fromtimestamp(0, UTC)
_MOST_EXACT = 1e15  # every double below has 15 digits of its own
_MOST_WHOLE = 2.0**53  # beyond, a float holds no digit of its own


@dataclass(frozen=True, slots=True)
class Value:
    """One declared expression: what it is for a record, as JSON has it; and the fields it reads, with their types. field: the one that is all of it.

    What cannot be read is not guessed: a sum of which one part is spoilt is not the sum of the others, and a CASE that asks a spoilt
    field has no answer. So the text that stands there is handed on, and the parse says of it what it says of everybody's.
    """

    evaluate: Callable[[Mapping[str, object]], Any]
    type: Type
    reads: Mapping[str, Type]
    field: str | None = None

    def says_nothing(self, record: FieldValues) -> bool:
        """Whether that is seen at once: it is a field, and nothing stands there."""
        return self.field is not None and record.values[self.field] is None and self.field not in record.spoilt

    def of(self, record: FieldValues) -> Any:
        spoilt = next((name for name in self.reads if name in record.spoilt), None) if record.spoilt else None
        if spoilt is not None and self._depends_on(spoilt):
            return record.spoilt[spoilt]
        value = self.evaluate(record.values)
        if value is None and spoilt is not None and self.type == "boolean":
            return record.spoilt[spoilt]
        if value is None or self.type == "text" or self.type == "boolean":
            return value
        return _JSON[self.type](value)

    def unread(self, record: FieldValues, but: Type | None = None) -> str | None:
        """Which field it reads is spoilt, and what was expected there; None = none. `but`: fields of that type do not matter."""
        spoilt = next((name for name, type_ in self.reads.items() if name in record.spoilt and type_ != but), None)
        return None if spoilt is None else f"{spoilt}: {self.reads[spoilt]} expected"

    def _depends_on(self, spoilt: str) -> bool:
        """Of a text made of texts what is no text is left out; and yes or no may follow from the other fields alone."""
        return self.type != "boolean" and (self.type != "text" or self.reads[spoilt] != "text")


Values = Mapping[str, Value]


class Expressions:
    """Parses the expressions of one file; what is wrong with them goes to `faults`."""

    def __init__(self, file: str, words: Mapping[str, Term], faults: list[str]) -> None:
        self._file = file
        self._words = words
        self._faults = faults

    def within(self, words: Mapping[str, Term]) -> "Expressions":
        """The same over other words."""
        return Expressions(self._file, words, self._faults)

    def one(self, key: str, text: str | None, gives: Sequence[Type]) -> Value | None:
        if text is None:
            return None
        try:
            expression = parse(text, self._words, gives)
            refuse_division_by_zero(expression)
        except RuleError as error:
            self._faults.append(f"{self._file}: {key}: {error}")
            return None
        return Value(
            evaluate=compile_predicate(expression),
            type=expression.type,
            reads={name: self._words[name].type for name in reads(expression)},
            field=expression.name if isinstance(expression, Read) else None,
        )

    def all(self, key: str, texts: Mapping[str, str], gives: Sequence[Type]) -> Values:
        made = {name: self.one(f"{key}.{name}", text, gives) for name, text in texts.items()}
        return {name: value for name, value in made.items() if value is not None}

    def known(self, key: str, named: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name in named:
            if name not in known:
                expected = ", ".join(sorted(known))
                self._faults.append(
                    f"{self._file}: {key}: got '{name}', expected an identifier type, one of {expected}. Declare a new one in conf/identity.toml"
                )

    def asks_the_record(self, key: str, value: Value) -> None:
        """What must be another for another record reads a field, or `record_id`."""
        if not value.reads:
            self._faults.append(
                f"{self._file}: {key}: got the same for every record, expected one that reads a field: else strangers are one person. "
                "Say concat('order-', record_id)"
            )

    def ways(self, key: str, paths: Mapping[str, Any], made: Sequence[str]) -> None:
        """Every path leads to a value of its own, and to none that another key makes."""
        for path in paths:
            holder = next((other for other in paths if other.startswith(f"{path}.")), None)
            if holder is not None:
                self._faults.append(
                    f"{self._file}: {key}: got '{path}' and '{holder}', expected a value or an object. Leave one out"
                )
            if path.split(".")[0] in made or not all(path.split(".")):
                self._faults.append(
                    f"{self._file}: {key}: got '{path}', expected a place that no other key fills, such as page.url"
                )

    def place(self, key: str, text: str) -> Place | None:
        try:
            return place(text)
        except RuleError as error:
            self._faults.append(f"{self._file}: {key}: {error}")
            return None

    def reader(self, key: str, declared: Mapping[str, Any], decimal: str | None) -> FieldReader | None:
        try:
            return FieldReader(declared, decimal)
        except RuleError as error:
            self._faults.append(f"{self._file}: {key}: {error}")
            return None


def _number(value: float) -> int | float | None:
    """As a person would write it: what calculating in binary adds behind the 15th digit is left out, 69.9 and not 69.89999999999999."""
    if not isfinite(value):
        return None
    if not value.is_integer() and abs(value) < _MOST_EXACT:
        value = float(f"{value:.15g}")
    return int(value) if value.is_integer() and abs(value) < _MOST_WHOLE else value


def _instant(micros: int) -> str | None:
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


_JSON: Mapping[str, Callable[[Any], Any]] = {"number": _number, "time": _instant, "texts": list}
