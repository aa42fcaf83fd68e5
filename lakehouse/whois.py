"""whois: the profile an identifier resolves to, and the chain of evidence.

./spark-submit.sh whois email jane@example.com
"""

from collections import deque
from collections.abc import Iterable, Mapping

import pandas as pd
from pyspark.sql import functions as F

from lakehouse.command_line import run
from lakehouse.config import Config, IdentifierRule, load
from lakehouse.contracts.gold import GOLD_ACTIVATION
from lakehouse.contracts.profiles import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from lakehouse.errors import StitchlakeError
from lakehouse.events.identifiers import resolve
from lakehouse.identity.touched import IDENTIFIER
from lakehouse.io import Lake
from lakehouse.session import get_session

Identifier = tuple[str, str]
Chain = list[tuple[str, Identifier, str]]  # (actor, identifier, next actor)


def chain(edges: pd.DataFrame, start: str, goal: str) -> Chain:
    """Shortest path from actor to actor over shared identifiers; empty when start is goal or no path exists.

    `edges`: actor_id, identifier_type, identifier_token, of linking identifiers only.
    """
    carriers: dict[Identifier, list[str]] = {}
    carried: dict[str, list[Identifier]] = {}
    for actor, type_, token in edges[["actor_id", *IDENTIFIER]].itertuples(index=False):
        carriers.setdefault((type_, token), []).append(actor)
        carried.setdefault(actor, []).append((type_, token))
    came_from = _breadth_first(carried, carriers, start)
    path: Chain = []
    while goal in came_from and goal != start:
        previous, identifier = came_from[goal]
        path.insert(0, (previous, identifier, goal))
        goal = previous
    return path


def _breadth_first(
    carried: Mapping[str, Iterable[Identifier]], carriers: Mapping[Identifier, Iterable[str]], start: str
) -> dict[str, tuple[str, Identifier]]:
    came_from: dict[str, tuple[str, Identifier]] = {}
    queue = deque([start])
    while queue:
        actor = queue.popleft()
        for identifier in carried.get(actor, ()):
            for other in carriers[identifier]:
                if other != start and other not in came_from:
                    came_from[other] = (actor, identifier)
                    queue.append(other)
    return came_from


def linking(edges: pd.DataFrame, carriers: pd.DataFrame, rules: Mapping[str, IdentifierRule]) -> pd.DataFrame:
    """The edges whose identifier holds the profile together, by the rule of lakehouse/identity/solve.py.

    Its type has a rule, no more actors carry it than that allows, and all of them are in the profile: an identifier that a
    limit refused, or a kiosk's, is carried elsewhere, too.

    Args:
        edges: every edge of one profile's actors.
        carriers: identifier_type, identifier_token, actors: how many carry it in the whole lake.
        rules: by identifier type.
    """
    inside = edges.groupby(IDENTIFIER)["actor_id"].nunique().rename("inside").reset_index()
    counted = edges.merge(inside, on=IDENTIFIER).merge(carriers, on=IDENTIFIER)
    most = counted["identifier_type"].map(lambda name: rules[name].max_actors if name in rules else 0)
    return counted[(counted["inside"] == counted["actors"]) & (counted["actors"] <= most)]


def whois(lake: Lake, type_: str, value: str) -> str:
    """A text for a person: profile, its identifiers, and how the identifier's actors came to it.

    Raises:
        StitchlakeError: unknown identifier type, a blocked value, or an identifier never seen.
    """
    token = _token(lake.config, type_, value)
    stored_edges = lake.read(SILVER_IDENTITY_EDGES)
    is_asked = (F.col("identifier_type") == type_) & (F.col("identifier_token") == token)
    identity_map = lake.read(SILVER_IDENTITY_MAP)
    asked = stored_edges.where(is_asked).select("actor_id").join(identity_map, on="actor_id", how="inner").toPandas()
    if asked.empty:
        raise StitchlakeError(f"whois {type_}: never seen, got a value no event carried. Check spelling and type")
    profiles = sorted(asked["profile_id"].unique())
    return "\n\n".join(_describe(lake, profile, asked, (type_, token)) for profile in profiles)


def _token(config: Config, type_: str, value: str) -> str:
    known = sorted(config.identity.rules)
    if type_ not in known:
        raise StitchlakeError(f"whois: unknown identifier type, got {type_!r}, expected one of {known}. Mend the type")
    token = resolve(type_, value, config)
    if token is None:
        raise StitchlakeError(f"whois {type_}: a blocked value, it identifies nobody. See [identity] in conf/base.toml")
    return token


def _describe(lake: Lake, profile: str, asked: pd.DataFrame, identifier: Identifier) -> str:
    members = lake.read(SILVER_IDENTITY_MAP).where(F.col("profile_id") == profile)
    stored_edges = lake.read(SILVER_IDENTITY_EDGES)
    of_members = stored_edges.join(members.select("actor_id"), on="actor_id")
    edges = of_members.toPandas()
    shared = stored_edges.join(of_members.select(*IDENTIFIER).distinct(), on=IDENTIFIER, how="left_semi")
    carriers = shared.groupBy(*IDENTIFIER).agg(F.count_distinct("actor_id").alias("actors")).toPandas()
    row = lake.read(GOLD_ACTIVATION).where(F.col("profile_id") == profile).first()
    lines = [f"profile {profile}"]
    if row is not None:
        lines.append(f"  user ids {', '.join(row['user_ids']) or 'none: anonymous'}")
        lines.append(f"  seen {row['first_seen_at']:%Y-%m-%d %H:%M} to {row['last_seen_at']:%Y-%m-%d %H:%M} UTC")
        lines.append(f"  {row['event_count']} events, {row['frequency']} orders, {row['monetary']} net")
        lines.append(f"  segment {row['segment'] or 'none'}; next best action {row['next_best_action']}")
    lines.append("  identifiers")
    distinct = edges.groupby(IDENTIFIER)["first_seen_at"].agg(["min", "count"]).reset_index()
    lines += [
        f"    {type_:14} {token}  since {since:%Y-%m-%d}, {count} actors"
        for type_, token, since, count in distinct.itertuples(index=False)
    ]
    lines.append("  evidence")
    starts = sorted(asked.loc[asked["profile_id"] == profile, "actor_id"])
    lines += _evidence(linking(edges, carriers, lake.config.identity.rules), starts[0], profile, identifier)
    return "\n".join(lines)


def _evidence(edges: pd.DataFrame, start: str, goal: str, identifier: Identifier) -> list[str]:
    lines = [f"    {identifier[0]} {identifier[1]} was carried by actor {start}"]
    for actor, (type_, token), other in chain(edges, start, goal):
        lines.append(f"    actor {actor} and actor {other} both carried {type_} {token} (deterministic)")
    lines.append(f"    actor {goal} is the oldest: it names the profile")
    return lines


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise StitchlakeError(
            f"whois: got {len(argv)} words, expected two. Call ./spark-submit.sh whois <identifier type> <value>"
        )
    config = load()
    lake = Lake(get_session(config, "whois"), config)
    print(whois(lake, *argv))


if __name__ == "__main__":
    run(main)
