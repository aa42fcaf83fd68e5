"""The identity tables computed from all facts at once: one solve of all edges, which the stream must come to as well."""

from datetime import UTC, datetime

import pandas as pd
from pyspark.sql import DataFrame

from lakehouse.errors import ModelError
from lakehouse.identity import override_store, overrides
from lakehouse.identity.hubs import over_cap
from lakehouse.identity.matches import match_edges
from lakehouse.identity.rules_fingerprint import is_blocked
from lakehouse.identity.solve import solve
from lakehouse.lake.delta import Lake, arrow
from lakehouse.matching.model import MatchModel
from lakehouse.matching.refresh import Matched, refresh_all
from lakehouse.profiles.stitching import identity_tables
from lakehouse.profiles.stitching.graph_facts import edges
from lakehouse.profiles.stitching.match_pairs import blocks_version, review_rows
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_MAP,
    SILVER_IDENTITY_REVIEW,
    SILVER_MATCH_BLOCKS,
)


def rebuilt_identity(
    lake: Lake, of_actors: DataFrame, traits: DataFrame, matcher: MatchModel | None, *, now: datetime
) -> dict[Table, DataFrame]:
    """Every identity table that follows from facts. Collects the whole graph to the driver.

    All actors, as lakehouse/profiles/stitching/graph_facts.py gives them, and all of silver.personal_traits; the champion matcher, if any.

    Raises:
        ModelError: the lake was matched by a model, and none can be read now.
    """
    carried = identity_tables.plain(edges(of_actors).toArrow())
    actors = carried[["actor_id", "first_seen_at"]].drop_duplicates()
    tables: dict[Table, DataFrame] = {}
    if matcher is None:
        _refuse_without_model(lake)
    else:
        matched = refresh_all(lake, matcher, traits)
        carried = pd.concat([carried, match_edges(matched.pairs).merge(actors, on="actor_id")], ignore_index=True)
        tables |= _tables(lake, matcher, matched, now)
    tables[SILVER_IDENTITY_EDGES] = lake.frame(arrow(carried, SILVER_IDENTITY_EDGES))
    tables[SILVER_IDENTITY_MAP] = lake.frame(arrow(_solved(lake, carried, actors, now), SILVER_IDENTITY_MAP)).persist()
    return tables


def _tables(lake: Lake, matcher: MatchModel, matched: Matched, now: datetime) -> dict[Table, DataFrame]:
    assert isinstance(matched.blocks, DataFrame)
    review = review_rows(matched.pairs, matcher, lake.config.matching.match_probability, now)
    return {
        SILVER_MATCH_BLOCKS: matched.blocks,
        SILVER_IDENTITY_REVIEW: lake.frame(arrow(review, SILVER_IDENTITY_REVIEW)),
    }


def _solved(lake: Lake, carried: pd.DataFrame, actors: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Rows of silver.identity_map. Hubs are counted before overrides hide any edge, as the stream does."""
    rules, counting = lake.config.identity.rules, carried[~is_blocked(carried, lake.config)]
    in_force = [one for one in override_store.read(override_store.store_of(lake)).values() if one.is_active]
    seen, of_type = overrides.apply(counting, rules, in_force)
    solved = solve(
        seen,
        actors,
        of_type,
        hubs=over_cap(counting, actors, rules),
        match_probability=lake.config.matching.match_probability,
    )
    return solved.assign(resolved_at=pd.Timestamp(now.astimezone(UTC).replace(tzinfo=None)))


def _refuse_without_model(lake: Lake) -> None:
    version = blocks_version(lake)
    if version is not None:
        raise ModelError(
            f"identity model: got none that can be read, expected version {version}, by which the lake was matched. See that "
            "the registry answers and the alias champion of `identity` is set"
        )
