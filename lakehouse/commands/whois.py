"""whois: the profile an identifier resolves to, and the chain of evidence.

./spark-submit.sh whois email jane@example.com
"""

import pandas as pd
from pyspark.sql import functions as F

from lakehouse.config import Config, load
from lakehouse.errors import StitchlakeError
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import Resolver
from lakehouse.identity import override_store, overrides
from lakehouse.identity.evidence import chain, in_words, linking
from lakehouse.identity.matches import MATCH, MATCH_RULE
from lakehouse.identity.touched_components import IDENTIFIER
from lakehouse.job import run
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.spark.session import get_session
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_REVIEW


def whois(lake: Lake, type_: str, value: str) -> str:
    """A text for a person: profile, its identifiers, and how the identifier's actors came to it.

    Raises:
        StitchlakeError: unknown identifier type, a blocked value, or an identifier never seen.
    """
    type_, token = identifier_of(lake.config, type_, value, command="whois")
    stored_edges = lake.read(SILVER_IDENTITY_EDGES)
    is_asked = (F.col("identifier_type") == type_) & (F.col("identifier_token") == token)
    identity_map = lake.read(SILVER_IDENTITY_MAP)
    asked = stored_edges.where(is_asked).select("actor_id").join(identity_map, on="actor_id", how="inner").toPandas()
    if asked.empty:
        raise StitchlakeError(f"whois {type_}: never seen, got a value no event carried. Check spelling and type")
    profiles = sorted(asked["profile_id"].unique())
    return "\n\n".join(_describe(lake, profile, asked, (type_, token)) for profile in profiles)


def identifier_of(config: Config, type_: str, value: str, *, command: str) -> Identifier:
    """As the lake knows it. Raises StitchlakeError: unknown identifier type, or a blocked value."""
    known = sorted(config.identity.rules)
    if type_ not in known:
        raise StitchlakeError(
            f"{command}: unknown identifier type, got {type_!r}, expected one of {known}. Mend the type"
        )
    identifier = Resolver(config).resolve(type_, value)
    if identifier is None:
        raise StitchlakeError(f"{command} {type_}: a blocked value, it identifies nobody. See conf/identity.toml")
    return identifier


def _describe(lake: Lake, profile: str, asked: pd.DataFrame, identifier: Identifier) -> str:
    members = lake.read(SILVER_IDENTITY_MAP).where(F.col("profile_id") == profile)
    stored_edges = lake.read(SILVER_IDENTITY_EDGES)
    of_members = stored_edges.join(members.select("actor_id"), on="actor_id")
    edges = of_members.toPandas()
    shared = stored_edges.join(of_members.select(*IDENTIFIER).distinct(), on=IDENTIFIER, how="left_semi")
    carriers = shared.groupBy(*IDENTIFIER).agg(F.count_distinct("actor_id").alias("actors")).toPandas()
    lines = [f"profile {profile}", *_activation(lake, profile), "  identifiers"]
    distinct = edges[edges["identifier_type"] != MATCH].groupby(IDENTIFIER)["first_seen_at"].agg(["min", "count"])
    lines += [
        f"    {type_:14} {token}  since {since:%Y-%m-%d}, {count} actors"
        for type_, token, since, count in distinct.reset_index().itertuples(index=False)
    ]
    start = min(asked.loc[asked["profile_id"] == profile, "actor_id"])
    lines += ["  evidence", f"    {identifier[0]} {identifier[1]} was carried by actor {start}"]
    lines += [f"    {line}" for line in _evidence(lake, edges, carriers, start, profile)]
    lines.append(f"    actor {profile} is the oldest: it names the profile")
    return "\n".join(lines)


def _activation(lake: Lake, profile: str) -> list[str]:
    row = lake.read(GOLD_ACTIVATION).where(F.col("profile_id") == profile).first()
    if row is None:
        return []
    return [
        f"  user ids {', '.join(row['user_ids']) or 'none: anonymous'}",
        f"  seen {row['first_seen_at']:%Y-%m-%d %H:%M} to {row['last_seen_at']:%Y-%m-%d %H:%M} UTC",
        f"  {row['event_count']} events, {row['frequency']} orders, {row['monetary']} net",
        f"  segment {row['segment'] or 'none'}; next best action {row['next_best_action']}",
    ]


def _evidence(lake: Lake, edges: pd.DataFrame, carriers: pd.DataFrame, start: str, goal: str) -> list[str]:
    stored = override_store.read(override_store.store_of(lake)).values()
    in_force = [override for override in stored if override.is_active]
    rules = {**lake.config.identity.rules, MATCH: MATCH_RULE}
    counting, of_type = overrides.apply(edges, rules, in_force)
    tied = linking(counting, carriers, of_type)
    path = chain(tied, start, goal)
    sides = [token.split(":", 1) for _, (type_, token), _ in path if type_ == MATCH]
    review = lake.read(SILVER_IDENTITY_REVIEW).where(F.col("actor_l").isin([left for left, _ in sides]))
    pairs = (
        {f"{row['actor_l']}:{row['actor_r']}": row.asDict(recursive=True) for row in review.collect()} if sides else {}
    )
    return in_words(path, tied, of_type, pairs=pairs, overrides=in_force)


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise StitchlakeError(
            f"whois: got {len(argv)} words, expected two. Call ./spark-submit.sh whois <identifier type> <value>"
        )
    config = load()
    lake = Lake(get_session(config, "whois"), config)
    told = whois(lake, *argv)
    audit.note_read(config, "whois", {"identifier_type": argv[0]})
    print(told)


if __name__ == "__main__":
    run(main)
