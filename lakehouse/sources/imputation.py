"""What stands in for a field of which a record says nothing. Only where its source declares it, and marked in every event it is in.

`mode` and `median` are of the file that is imported: they are learned from all of its records before the first is sent. A record of a topic
comes alone, so it gets constants and nothing else.
"""

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Annotated, Literal

from pydantic import Field

from lakehouse.config.declarations import Declared
from lakehouse.sources.fields import Declarations, FieldName, FieldValues

IMPUTED = "imputed"  # in the context of an event: the fields that its record said nothing of
_MOST_VALUES = 100_000  # different ones of a field; with more, none of them is typical
_TYPES: Mapping[str, type | tuple[type, ...]] = {"text": str, "boolean": bool, "number": (int, float)}


class Constant(Declared):
    """The same value for every record."""

    constant: Annotated[str, Field(min_length=1, max_length=200)] | bool | float


Imputations = dict[FieldName, Literal["mode", "median"] | Constant]


def faults(declared: Imputations, fields: Declarations) -> list[str]:
    """What is wrong with what a source declares, by field."""
    found = []
    for name, how in declared.items():
        type_ = fields[name].type if name in fields else None
        if type_ is None:
            found.append(f"impute: got '{name}', expected a declared field. Declare it under fields")
        elif type_ not in _TYPES:
            found.append(f"impute.{name}: got a field of type {type_}, expected text, number or boolean. Leave it out")
        elif how == "median" and type_ != "number":
            found.append(f"impute.{name}: got median of a {type_}, expected mode or a constant. Say one of them")
        elif isinstance(how, Constant) and not _is_of(how.constant, type_):
            found.append(f"impute.{name}: got a constant that is no {type_}, expected one. Mend it")
    return found


def constants(declared: Imputations) -> dict[str, object]:
    """Field -> value, of those that are the same for every record."""
    return {
        name: float(how.constant)
        if isinstance(how.constant, int | float) and not isinstance(how.constant, bool)
        else how.constant
        for name, how in declared.items()
        if isinstance(how, Constant)
    }


def fill(read: FieldValues, fills: Mapping[str, object]) -> list[str]:
    """Put values where nothing stands; the names of those fields. What stands there and cannot be read is left as it is."""
    filled = [name for name in fills if read.values[name] is None and name not in read.spoilt]
    read.values.update({name: fills[name] for name in filled})
    return filled


class Typical:
    """Learns what is typical of each field that is to be filled by it: the most frequent value, the smallest of several, or the median."""

    def __init__(self, declared: Imputations) -> None:
        self._modes: dict[str, Counter[object]] = {name: Counter() for name, how in declared.items() if how == "mode"}
        self._medians: dict[str, list[float]] = {name: [] for name, how in declared.items() if how == "median"}

    def take(self, read: FieldValues) -> None:
        for name, counts in self._modes.items():
            value = read.values[name]
            if value is not None and (value in counts or len(counts) < _MOST_VALUES):
                counts[value] += 1
        for name, values in self._medians.items():
            if isinstance(number := read.values[name], float):
                values.append(number)

    def values(self) -> dict[str, object]:
        """Field -> value; none of a field that no record fills, or in which no value comes twice."""
        modes = {name: _mode(counts) for name, counts in self._modes.items()}
        medians = {name: median(values) for name, values in self._medians.items() if values}
        return {name: value for name, value in {**modes, **medians}.items() if value is not None}


def _mode(counts: Counter[object]) -> object:
    most = max(counts.values(), default=0)
    return min((value for value, count in counts.items() if count == most), key=str) if most > 1 else None


def _is_of(constant: object, type_: str) -> bool:
    return isinstance(constant, _TYPES[type_]) and (type_ == "boolean") == isinstance(constant, bool)
