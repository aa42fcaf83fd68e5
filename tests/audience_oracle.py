"""Audiences by brute force: DuckDB over the columns of profiles and features, the text of each definition as its WHERE, and nothing of ours.

Definitions of every kind of word are drawn at random from a seed; each reads only those before it.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from lakehouse.audiences.book import AudienceBook, read_audiences
from lakehouse.features.definition import Features

_OF_PROFILE = (
    "event_count >= {few}",
    "view_count BETWEEN 1 AND {few}",
    "cart_count > 0",
    "frequency = 0",
    "frequency >= {few}",
    "monetary >= {money}",
    "monetary < {money} OR cart_count IS NULL",
    "is_known",
    "is_known IS FALSE",
    "last_order_at IS NOT NULL",
    "coalesce(consent_marketing, TRUE)",
    "segment IN ('loyal', 'new')",
    "coalesce(loyalty_tier, 'none') = 'none'",
    "last_seen_at >= TIMESTAMP '2026-01-04 12:00:00'",
    "greatest(view_count, cart_count) > {few}",
    "CASE WHEN frequency > 0 THEN view_count > {few} ELSE cart_count > 0 END",
    "next_best_action LIKE '%order%'",
    "length(coalesce(segment, '')) + view_count > {few}",
)
_OF_FEATURES: Mapping[str, tuple[str, ...]] = {
    "bigint": ("{f} >= {few}", "{f} = 0", "{f} BETWEEN 1 AND {few}", "NOT ({f} > {few})", "{f} IN (1, 2, 3)"),
    "double": ("{f} > {money}", "coalesce({f}, 0) < {money}", "{f} IS NULL", "abs({f}) >= {few}"),
    "string": ("{f} IS NOT NULL", "{f} LIKE 'p1%'", "coalesce({f}, 'web') = 'web'", "upper({f}) <> 'P2'"),
    "timestamp": ("{f} > TIMESTAMP '2026-01-03 06:00:00'", "{f} IS NULL"),
}


def random_definitions(seed: int, count: int, features: Features) -> list[dict[str, Any]]:
    """Half of what they read are features; every fourth reads audiences, too."""
    chance, entries = random.Random(seed), list[dict[str, Any]]()
    usable = [one for one in features.features if one.type in _OF_FEATURES and one.aggregation != "days_since"]
    usable = [one for one in usable if one.aggregation != "ratio"]

    def atom() -> str:
        numbers = {"few": chance.randrange(1, 6), "money": chance.choice(("10", "42.5", "80"))}
        if usable and chance.random() < 0.5:
            feature = chance.choice(usable)
            return chance.choice(_OF_FEATURES[feature.type]).format(f=feature.name, **numbers)
        return chance.choice(_OF_PROFILE).format(**numbers)

    for number in range(count):
        parts = [f"({atom()})" for _ in range(chance.randrange(1, 4))]
        if number % 4 == 3:
            others = chance.sample([entry["name"] for entry in entries], 2)
            parts += [others[0], f"NOT {others[1]}"]
        where = parts[0]
        for part in parts[1:]:
            where = f"({where}) {chance.choice(('AND', 'AND', 'OR', 'AND NOT'))} {part}".replace("NOT NOT", "NOT")
        entries.append({"name": f"a{number}", "owner": "o", "description": "d", "where": where, "purpose": "marketing"})
    return entries


def declared(folder: Path, entries: Sequence[Mapping[str, Any]], features: Features) -> AudienceBook:
    path = folder / "audiences.yaml"
    path.write_text(yaml.safe_dump({"audiences": list(entries)}))
    return read_audiences(path, features)


def brute_force(activation: pa.Table, features: pa.Table, entries: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """(profile_id, audience) of every member. activation, features: a row of each for a profile; each entry after those it reads."""
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        session.register("activation", activation)
        session.register(
            "features",
            features.drop_columns([c for c in ("as_of", "due_at", "computed_at") if c in features.column_names]),
        )
        session.execute(
            "CREATE TABLE people AS SELECT *, len(user_ids) > 0 AS is_known FROM activation LEFT JOIN features USING (profile_id)"
        )
        found = set()
        for entry in entries:
            name = entry["name"]
            session.execute(
                f"CREATE OR REPLACE TABLE people AS SELECT *, coalesce(({entry['where']}), false) AS {name} FROM people"
            )
            found |= {
                (row[0], name) for row in session.execute(f"SELECT profile_id FROM people WHERE {name}").fetchall()
            }
    return found
