"""How many profiles each audience would have by its definition, and how many two have in common. Over gold as it stands; no Spark, nothing is written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.audiences.book import AudienceBook
from lakehouse.exports.source import Gold
from lakehouse.features.definition import Features
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES, IS_KNOWN
from lakehouse.profiles.gold.features import gold_features
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.vocabulary import READERS, Term


@dataclass(frozen=True, kw_only=True)
class Preview:
    """profiles: how many there are. would_be: profile ids by audience, by its definition. are: by what gold.audiences says."""

    profiles: int
    would_be: Mapping[str, frozenset[str]]
    are: Mapping[str, frozenset[str]]

    def shared(self) -> Iterator[tuple[str, str, int]]:
        """Pairs of audiences that have somebody in common, and how many."""
        for first, second in combinations(self.would_be, 2):
            if both := len(self.would_be[first] & self.would_be[second]):
                yield first, second, both


def preview(book: AudienceBook, words: Mapping[str, Term], features: Features, gold: Gold) -> Preview:
    """words: of the vocabulary. features: those declared. Raises ExportError: gold cannot be read."""
    profile_ids, contexts = _contexts(book, words, features, gold)
    members: dict[str, set[str]] = {name: set() for name in book.expressions}
    predicates = {name: compile_predicate(expression) for name, expression in book.expressions.items()}
    for profile_id, context in zip(profile_ids, contexts, strict=True):
        for name, holds in predicates.items():  # each after those it reads
            context[name] = holds(context) is True
            if context[name]:
                members[name].add(profile_id)
    return Preview(
        profiles=len(profile_ids),
        would_be={name: frozenset(found) for name, found in members.items()},
        are=_stored(gold),
    )


def _contexts(
    book: AudienceBook, words: Mapping[str, Term], features: Features, gold: Gold
) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """Profiles, and what of the vocabulary is read of each, as rules compute with it."""
    wanted = {name for audience in book.audiences.all for name in audience.reads if name in words}
    columns = sorted(wanted - {IS_KNOWN} | {"profile_id", "user_ids"})
    rows = gold.joined([GOLD_ACTIVATION, gold_features(features)], columns)
    read = {name: [_prepared(words[name], value) for value in rows[name].to_pylist()] for name in wanted - {IS_KNOWN}}
    if IS_KNOWN in wanted:
        read[IS_KNOWN] = [bool(user_ids) for user_ids in rows["user_ids"].to_pylist()]
    profile_ids: list[str] = rows["profile_id"].to_pylist()
    return profile_ids, ({name: values[number] for name, values in read.items()} for number in range(len(profile_ids)))


def _prepared(word: Term, value: Any) -> object:
    return None if value is None else READERS[word.type](value)


def _stored(gold: Gold) -> dict[str, frozenset[str]]:
    rows = gold.rows(GOLD_AUDIENCES, ["profile_id", "audience", "valid_to"])
    rows = rows.filter(pc.is_null(rows["valid_to"]))
    names = pc.unique(rows["audience"]).to_pylist()
    return {name: frozenset(_of(rows, name)) for name in names}


def _of(rows: pa.Table, name: str) -> list[str]:
    found: list[str] = rows.filter(pc.equal(rows["audience"], name))["profile_id"].to_pylist()
    return found
