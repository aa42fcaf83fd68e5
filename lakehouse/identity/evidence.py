"""Why two actors are one person: the shortest chain of what ties actor to actor, each tie told in words."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.events.identifier import Identifier
from lakehouse.identity.hubs import rule_of
from lakehouse.identity.matches import MATCH, told_apart
from lakehouse.identity.overrides import Override
from lakehouse.identity.touched_components import IDENTIFIER

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
    """The edges whose identifier holds the profile together, by the rule of lakehouse/identity/solve.py; strongest first.

    All that it links are in the profile: an identifier that a limit refused, or a kiosk's, links others, too, or nobody. Of a hub
    that keeps its oldest those edges are left out that are not of its oldest.

    Args:
        edges: every edge that counts of one profile's actors, overrides applied.
        carriers: identifier_type, identifier_token, actors: how many carry it in the whole lake; of a link that somebody
            asked for there need be no row.
        rules: by identifier type, those of overrides and likely pairs included.
    """
    inside = edges.groupby(IDENTIFIER)["actor_id"].nunique().rename("inside").reset_index()
    counted = edges.merge(inside, on=IDENTIFIER).merge(carriers, on=IDENTIFIER, how="left")
    actors = counted["actors"].fillna(counted["inside"])
    of_type = [rule_of(name, rules) for name in counted["identifier_type"]]
    most = np.array([rule.max_actors for rule in of_type], dtype=np.int64)
    by_age = counted.sort_values(["first_seen_at", "actor_id"])
    is_oldest = by_age.groupby(IDENTIFIER).cumcount().reindex(counted.index) < most
    is_kept = np.array([rule.keeps_oldest for rule in of_type], dtype=bool) & (counted["inside"] >= most) & is_oldest
    is_linking = ((counted["inside"] == actors) & (actors <= most) | is_kept & (actors > most)) & ~told_apart(counted)
    strength = [rule.priority for rule in of_type]
    return counted.assign(strength=strength)[is_linking].sort_values("strength", kind="stable", ignore_index=True)


def in_words(
    path: Chain,
    edges: pd.DataFrame,
    rules: Mapping[str, IdentifierRule],
    *,
    pairs: Mapping[str, Mapping[str, Any]],
    overrides: Sequence[Override],
) -> list[str]:
    """One line per step of the chain: who shares what, by which rule, since when.

    Args:
        path: of `chain`.
        edges: those of `linking`, with first_seen_at.
        rules: by identifier type.
        pairs: rows of silver.identity_review by the token of their identifier.
        overrides: those in force.
    """
    since = edges.groupby(["actor_id", *IDENTIFIER])["first_seen_at"].min()
    asked = {f"link:{override.override_id}": override for override in overrides}
    lines = []
    for actor, (type_, token), other in path:
        date = f"{max(since[actor, type_, token], since[other, type_, token]):%Y-%m-%d}"
        both = f"actor {actor} and actor {other}"
        if type_ == MATCH:
            lines.append(f"{both} match, since {date}{_bits(pairs.get(token))}")
        elif type_ in asked:
            override = asked[type_]
            said = f"by {override.created_by} on {override.created_at:%Y-%m-%d}: {override.reason}"
            lines.append(f"{both} were linked {said} (override {override.override_id})")
        else:
            rule = f"deterministic, priority {rules[type_].priority}, since {date}"
            lines.append(f"{both} both carried {type_} {token} ({rule})")
    return lines


def _bits(pair: Mapping[str, Any] | None) -> str:
    """What a likely pair rests on, the strongest evidence first."""
    if pair is None:
        return ""
    fields = sorted(pair["evidence"], key=lambda one: -abs(one["bits"]))
    told = ", ".join(f"{one['field']} {one['bits']:+.1f}" for one in fields if one["bits"])
    whole = f"{pair['weight']:+.1f} bits, probability {pair['probability']:.4f}, model {pair['model_version']}"
    return f" ({whole}: {told})"
