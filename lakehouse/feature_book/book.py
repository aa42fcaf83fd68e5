"""conf/features.yaml -> the features, checked: every word known, every type fitting, no ratio of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from hashlib import blake2b
from pathlib import Path

from pyspark.sql import Column

from lakehouse.config import Config
from lakehouse.config.declarations import checked, document_in, read_text, refuse
from lakehouse.config.paths import EVENTS, FEATURES
from lakehouse.errors import RuleError
from lakehouse.events.declared_properties import DeclaredProperty, read_declared
from lakehouse.feature_book.declaration import OFFLINE, VALUES, ZERO_OF_NOTHING, DeclaredFeature
from lakehouse.feature_book.vocabulary import columns, words
from lakehouse.features.definition import DAY, MINUTE, Feature, Features, Partial, Value, Word
from lakehouse.features.definition import Expression as AsColumn
from lakehouse.rules.column import to_column
from lakehouse.rules.evaluate import refuse_division_by_zero
from lakehouse.rules.expression import Constant, Expression, reads
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import VOCABULARY, Type

_EVERYTHING = Constant(True, "boolean")
MOST_FEATURES = 1000


@dataclass(frozen=True)
class _Parsed:
    """An entry with its expressions. where: _EVERYTHING where none is written."""

    entry: DeclaredFeature
    where: Expression
    value: Expression | None

    @property
    def words(self) -> set[str]:
        return {*reads(self.where), *(reads(self.value) if self.value is not None else ())}


def declared_features(config: Config, path: Path = FEATURES) -> Features:
    """The features of the file, over the properties of conf/events.yaml. Raises ConfigError: every fault of either, a line each."""
    return read_features(path, read_declared(EVENTS, config.privacy))


def read_features(path: Path, properties: Sequence[DeclaredProperty]) -> Features:
    """Read and check the file. `properties`: those declared in conf/events.yaml.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    return features_in(read_text(path, "features"), path, properties)


def features_in(text: str, path: Path, properties: Sequence[DeclaredProperty]) -> Features:
    """`read_features` of the text of such a file, which faults call `path`."""
    faults: list[str] = []
    place = f"{path.name}: features"
    entries = checked(document_in(text, path, "features").get("features"), DeclaredFeature, place, faults)
    if len(entries) > MOST_FEATURES:
        faults.append(f"{place}: got {len(entries)}, expected at most {MOST_FEATURES}")
    parsed = {}
    for number, entry in entries:
        one = _parsed(entry, f"{place}[{number}] {entry.name}", properties, faults)
        if one is not None:
            parsed[entry.name] = one
    if not faults:
        faults += _ratio_faults(place, parsed)
    if not faults:
        faults += _online_faults(place, parsed)
    refuse(faults)
    partials = {name: partial for name, partial in ((name, _partial(one)) for name, one in parsed.items()) if partial}
    features: dict[str, Feature] = {}
    for name in _in_order(parsed):
        features[name] = _feature(parsed[name], partials.get(name), features)
    return Features(
        partials=tuple({partial.name: partial for partial in partials.values()}.values()),
        features=tuple(features[name] for name in parsed),
        reads=columns(word for one in parsed.values() for word in one.words),
        text=text,
    )


def _parsed(
    entry: DeclaredFeature, place: str, properties: Sequence[DeclaredProperty], faults: list[str]
) -> _Parsed | None:
    known = words(entry.over, properties)
    found: dict[str, Expression] = {}
    wanted: Mapping[str, tuple[str | None, tuple[Type, ...]]] = {
        "where": (entry.where, ("boolean",)),
        "value": (entry.value, VALUES[entry.aggregation]),
    }
    before = len(faults)
    for key, (text, gives) in wanted.items():
        if text is None:
            continue
        try:
            found[key] = parse(text, known, gives)
            refuse_division_by_zero(found[key])
        except RuleError as error:
            faults.append(f"{place}.{key}: {error}")
    parsed = _Parsed(entry, found.get("where", _EVERYTHING), found.get("value"))
    if len(faults) == before:
        faults += _default_faults(place, parsed)
    return parsed if len(faults) == before else None


def _default_faults(place: str, parsed: _Parsed) -> list[str]:
    """A default is of the type of the feature."""
    default = parsed.entry.default
    if default is None:
        return []
    if parsed.entry.aggregation == "top_k" or _value(parsed) == "time":
        return [f"{place}.default: got {default!r}, expected none: an empty {parsed.entry.aggregation} is null"]
    if isinstance(default, str) != (_value(parsed) == "text"):
        return [f"{place}.default: got {default!r}, expected a {_value(parsed)}"]
    return []


def _value(parsed: _Parsed) -> Value:
    """The type of what comes out; of whoever counts texts it is a number."""
    type_ = None if parsed.value is None else parsed.value.type
    if parsed.entry.aggregation in ("min", "max", "first", "last"):
        return "time" if type_ == "time" else "text" if type_ == "text" else "number"
    return "number"


def _ratio_faults(place: str, parsed: Mapping[str, _Parsed]) -> list[str]:
    faults = []
    for name, one in parsed.items():
        for key, part in zip(("numerator", "denominator"), _parts(one), strict=False):
            if part not in parsed:
                faults.append(f"{place} {name}.{key}: no feature '{part}', expected one of {', '.join(sorted(parsed))}")
            elif _value(parsed[part]) != "number" or parsed[part].entry.aggregation == "top_k":
                faults.append(f"{place} {name}.{key}: '{part}' is no number, expected one that is")
    if not faults:
        try:
            _in_order(parsed)
        except CycleError as error:
            faults.append(f"{place}: ratios in a cycle, got {' -> '.join(error.args[1])}, expected a ratio of others")
    return faults


def _online_faults(place: str, parsed: Mapping[str, _Parsed]) -> list[str]:
    """Of those that decisions read: a name that rules know already, a ratio of what fits into no document."""
    faults, offline = [], set[str]()
    for name in _in_order(parsed):
        one = parsed[name]
        if one.entry.aggregation in OFFLINE or offline & {*_parts(one)}:
            offline.add(name)
        if one.entry.online and name in offline:
            faults.append(f"{place} {name}.online: got true, expected false: it divides what fits into no document")
        if one.entry.online and name in VOCABULARY:
            faults.append(f"{place} {name}.name: got a word that rules know already, expected another name")
    return faults


def _parts(parsed: _Parsed) -> tuple[str, ...]:
    entry = parsed.entry
    return (entry.numerator, entry.denominator) if entry.numerator and entry.denominator else ()


def _in_order(parsed: Mapping[str, _Parsed]) -> list[str]:
    """Names, a ratio after what it divides."""
    return list(TopologicalSorter({name: _parts(one) for name, one in parsed.items()}).static_order())


def _partial(parsed: _Parsed) -> Partial | None:
    """The sums that the feature is a window of; None of a ratio."""
    entry, where, value = parsed.entry, parsed.where, parsed.value
    if entry.aggregation == "ratio":
        return None
    grain = MINUTE if entry.is_by_the_minute else DAY
    keeps_values = entry.aggregation in ("distinct", "top_k")
    text = repr((entry.over, grain, where, value, keeps_values))
    is_text = value is not None and value.type == "text"
    return Partial(
        name=blake2b(text.encode(), digest_size=8).hexdigest(),
        source=entry.over,
        grain=grain,
        condition=_as_column(where),
        number=None if value is None or is_text else _as_column(value),
        text=_as_column(value) if value is not None and is_text else None,
        keeps_values=keeps_values,
    )


def _as_column(expression: Expression) -> AsColumn:
    def column(word: Word) -> Column:
        return to_column(expression, word)

    return column


def _feature(parsed: _Parsed, partial: Partial | None, known: Mapping[str, Feature]) -> Feature:
    entry, parts = parsed.entry, _parts(parsed)
    default = 0 if entry.default is None and entry.aggregation in ZERO_OF_NOTHING else entry.default
    made_of = [partial.name] if partial is not None else [known[name].definition for name in parts]
    most = entry.most if entry.aggregation == "top_k" else 0
    return Feature(
        name=entry.name,
        aggregation=entry.aggregation,
        description=entry.description,
        definition=repr((entry.aggregation, made_of, entry.window, most, default)),
        value=_value(parsed),
        partial=None if partial is None else partial.name,
        window=entry.window,
        most=most,
        default=default,
        parts=(parts[0], parts[1]) if parts else None,
        is_online=entry.online,
    )
