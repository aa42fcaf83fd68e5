"""conf/audiences.yaml -> the audiences, checked: every word known, every type fitting, no audience of itself."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from hashlib import blake2b
from pathlib import Path

from pyspark.sql import Column

from lakehouse.audiences.declaration import DeclaredAudience
from lakehouse.audiences.vocabulary import unusable, words
from lakehouse.config.declarations import checked, read_document, refuse
from lakehouse.config.limits import PURPOSES
from lakehouse.errors import RuleError
from lakehouse.features.definition import Features, Word
from lakehouse.profiles.gold.audiences import Audience, Audiences
from lakehouse.rules.column import to_column
from lakehouse.rules.evaluate import refuse_division_by_zero
from lakehouse.rules.expression import Expression, reads
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import Term

AUDIENCE = "audience"
MOST_AUDIENCES = 500


@dataclass(frozen=True, kw_only=True)
class AudienceBook:
    """`declared`, `expressions`: by name, an audience after those it reads. `audiences`: what gold.audiences is kept by."""

    declared: Mapping[str, DeclaredAudience]
    expressions: Mapping[str, Expression]
    audiences: Audiences


def read_audiences(path: Path, features: Features, purposes: Collection[str] = PURPOSES) -> AudienceBook:
    """Read and check the file. `features`: those declared in conf/features.yaml. `purposes`: consent.purposes.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    place = f"{path.name}: audiences"
    told = read_document(path, "audiences").get("audiences")
    entries = checked(told, DeclaredAudience, place, faults, purposes=purposes)
    if len(entries) > MOST_AUDIENCES:
        faults.append(f"{place}: got {len(entries)}, expected at most {MOST_AUDIENCES}")
    known, refused = words(features), unusable(features)
    names = {entry.name: Term(entry.name, "boolean", AUDIENCE, entry.description) for _, entry in entries}
    parsed: dict[str, Expression] = {}
    for number, entry in entries:
        here = f"{place}[{number}] {entry.name}"
        if entry.name in known:
            faults.append(f"{here}.name: '{entry.name}' is a column or a feature already. Name it otherwise")
            continue
        try:
            parsed[entry.name] = _parsed(entry, {**known, **names}, refused)
        except RuleError as error:
            faults.append(f"{here}.where: {error}")
    if not faults:
        faults += _cycle(place, parsed)
    refuse(faults)
    declared = {entry.name: entry for _, entry in entries}
    in_order = _in_order(parsed)
    return AudienceBook(
        declared={name: declared[name] for name in in_order},
        expressions={name: parsed[name] for name in in_order},
        audiences=_audiences(in_order, parsed, features),
    )


def _parsed(entry: DeclaredAudience, known: Mapping[str, Term], refused: Mapping[str, str]) -> Expression:
    expression = parse(entry.where, known)
    refuse_division_by_zero(expression)
    if wrong := next((name for name in reads(expression) if name in refused), None):
        raise RuleError(f"'{wrong}': {refused[wrong]}")
    return expression


def _cycle(place: str, parsed: Mapping[str, Expression]) -> list[str]:
    try:
        _in_order(parsed)
    except CycleError as error:
        return [f"{place}: audiences in a cycle, got {' -> '.join(error.args[1])}, expected an audience of others"]
    return []


def _in_order(parsed: Mapping[str, Expression]) -> list[str]:
    """Names, an audience after those it reads; else as in the file."""
    graph = {name: [word for word in reads(expression) if word in parsed] for name, expression in parsed.items()}
    return list(TopologicalSorter(graph).static_order())


def _audiences(in_order: list[str], parsed: Mapping[str, Expression], features: Features) -> Audiences:
    versions: dict[str, str] = {}
    made = []
    for name in in_order:
        expression = parsed[name]
        read = frozenset(reads(expression))
        decides = [repr(expression)]
        decides += [f"{word}={versions[word]}" for word in sorted(read) if word in versions]
        decides += [f"{word}={features.by_name[word].version}" for word in sorted(read) if word in features.by_name]
        versions[name] = blake2b("\n".join(decides).encode(), digest_size=8).hexdigest()
        made.append(Audience(name=name, version=versions[name], condition=_as_column(expression), reads=read))
    read_at_all = {word for one in made for word in one.reads}
    return Audiences(all=tuple(made), features=tuple(sorted(read_at_all & features.by_name.keys())))


def _as_column(expression: Expression) -> Callable[[Word], Column]:
    def column(word: Word) -> Column:
        return to_column(expression, word)

    return column
