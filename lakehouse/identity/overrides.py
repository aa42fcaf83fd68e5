"""What people say about the graph: link, unlink, block. Facts like edges, so their order never matters.

block   the identifier links nobody and no profile holds it: its edges are left out.
link    all actors that carry either identifier belong together. They carry a virtual identifier of a type of its own,
        `link:<override_id>`, that is taken before every other and links however many: all of them or, where the joined
        profile would break a limit, none. A chain of links holds through identifiers that somebody carries.
unlink  no profile holds both. Who carries both keeps only the stronger (by priority of its type, then type, then token).
        Carriers of the one hold value 1, of the other value 2, of a virtual type `unlink:<override_id>` that links
        nobody and of which a profile may hold one value.

So `lakehouse/identity/solve.py` knows nothing of overrides: it solves what `apply` returns. Without an override the edges
come back as they are, so undoing one restores what was before it exactly.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from lakehouse.config import IdentifierRule
from lakehouse.errors import ContractError

ACTIONS = {"link": 2, "unlink": 2, "block": 1}  # how many identifiers each names
IDENTIFIER = ["identifier_type", "identifier_token"]
_ANY = 2**31  # as a limit: none
_LINK = IdentifierRule(priority=0, limit=_ANY, max_actors=_ANY)
_UNLINK = IdentifierRule(priority=_ANY, limit=1, max_actors=0)


class NamedIdentifier(NamedTuple):
    """As silver.identity_edges names one."""

    type: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Override:
    """One row of silver.identity_overrides. `identifiers`: two in sorted order, one for a block.

    Raises:
        ContractError: what no command would have written.
    """

    action: str
    identifiers: tuple[NamedIdentifier, ...]
    created_by: str
    reason: str
    created_at: datetime
    undone_by: str | None = None
    undone_reason: str | None = None
    undone_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ContractError(f"override: unknown action, got {self.action!r}, expected one of {list(ACTIONS)}")
        count = len(set(self.identifiers))
        if count != ACTIONS[self.action] or list(self.identifiers) != sorted(self.identifiers):
            raise ContractError(
                f"{self.action}: got {count} different identifiers, expected {ACTIONS[self.action]} in sorted order. "
                "Name different ones"
            )
        for type_, token in self.identifiers:
            if not type_ or not token or "@" in token:
                raise ContractError(
                    f"{self.action} {type_ or 'of an identifier without a type'}: got a blank or a raw e-mail address, "
                    "expected a token. Ask by ./spark-submit.sh identity, which makes it"
                )
        if self.created_at.tzinfo is None:
            raise ContractError(f"{self.action}: created_at without a zone, got {self.created_at}, expected UTC")

    @cached_property
    def override_id(self) -> str:
        words = [self.action, *(word for identifier in self.identifiers for word in identifier)]
        words.append(self.created_at.astimezone(UTC).isoformat(timespec="microseconds"))
        return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:12]

    @property
    def is_active(self) -> bool:
        return self.undone_at is None


def apply(
    edges: pd.DataFrame, rules: Mapping[str, IdentifierRule], overrides: Iterable[Override]
) -> tuple[pd.DataFrame, Mapping[str, IdentifierRule]]:
    """Edges and rules as `solve` must see them for the active overrides to hold. Undone ones are ignored.

    Args:
        edges: [actor_id, identifier_type, identifier_token, ...], duplicates allowed: all edges of every actor named.
        rules: by identifier type.
        overrides: in any order.

    Returns:
        The edges that count, then the virtual ones: rows of the same actors, further columns kept, but `kind` override and
        `weight` 0 where there are such columns. And the rules with those of the virtual types. What came in, if no
        override names any identifier of it.
    """
    active = [override for override in overrides if override.is_active]
    if not active:
        return edges, rules
    named = _named(active, rules)
    met = _met(edges, named)
    if met.empty:
        return edges, rules
    is_blocked = (met["action"] == "block").groupby(met["position"]).transform("any")
    counting = met[~is_blocked]
    is_stronger = ~(counting["is_weaker"] & _carries_both(counting, "actor_id"))
    counting = counting[is_stronger.groupby(counting["position"]).transform("all")]
    virtual = _virtual(edges, counting)
    counts = np.ones(len(edges), dtype=bool)
    counts[met.loc[~met["position"].isin(counting["position"]), "position"]] = False
    extra = {name: _LINK if name.startswith("link:") else _UNLINK for name in virtual["identifier_type"].unique()}
    return pd.concat([edges[counts], virtual], ignore_index=True), {**rules, **extra}


def siblings(identifiers: pd.DataFrame, overrides: Iterable[Override]) -> pd.DataFrame:
    """What must also be looked up, and followed to all who carry it, when these identifiers are met.

    Both sides of every active link and unlink that names one of them: the met one, too, because a link makes even one that
    links nobody by itself, since too many carry it, worth following. Both frames: [identifier_type, identifier_token]; the
    result is distinct and sorted.
    """
    pairs = [o.identifiers for o in overrides if o.is_active and len(o.identifiers) == 2]
    if not pairs:
        return _frame(())
    given = _wanted(identifiers, {identifier for pair in pairs for identifier in pair})
    return _frame(identifier for pair in pairs if not given.isdisjoint(pair) for identifier in pair)


def around(changed: Iterable[Override], overrides: Iterable[Override]) -> pd.DataFrame:
    """The identifiers whose components must be solved again when overrides come or go.

    Args:
        changed: the overrides that came into force or were undone.
        overrides: those in force now; undone ones among them are ignored.

    Returns:
        [identifier_type, identifier_token], distinct and sorted: the identifiers of `changed`, and their siblings, because
        an identifier that is no longer blocked may bring a link to life.
    """
    named = _frame(identifier for override in changed for identifier in override.identifiers)
    if named.empty:
        return named
    both = pd.concat([named, siblings(named, overrides)], ignore_index=True)
    return both.drop_duplicates().sort_values(IDENTIFIER, ignore_index=True)


def _named(active: Sequence[Override], rules: Mapping[str, IdentifierRule]) -> pd.DataFrame:
    """One row per identifier that an override names: side 1 or 2, and whether it is the weaker of an unlinked pair."""

    def strength(identifier: NamedIdentifier) -> tuple[int, NamedIdentifier]:
        rule = rules.get(identifier.type)
        return (_ANY if rule is None else rule.priority), identifier

    rows = [
        (
            *identifier,
            override.override_id,
            override.action,
            side,
            override.action == "unlink" and identifier == weakest,
        )
        for override in active
        for weakest in [max(override.identifiers, key=strength)]
        for side, identifier in enumerate(override.identifiers, start=1)
    ]
    return pd.DataFrame(rows, columns=[*IDENTIFIER, "override_id", "action", "side", "is_weaker"])


def _met(edges: pd.DataFrame, named: pd.DataFrame) -> pd.DataFrame:
    """`named` joined to the edges that carry its identifiers; `position`: the edge's row."""
    is_near = edges["identifier_token"].isin(named["identifier_token"])
    near = edges.loc[is_near, ["actor_id", *IDENTIFIER]].assign(position=np.flatnonzero(is_near))
    return near.merge(named, on=IDENTIFIER) if len(near) else near


def _carries_both(met: pd.DataFrame, *per: str) -> "pd.Series[bool]":
    """Whether both sides of the override of a row were met: by its actor, or by anybody."""
    sides = met.groupby([*per, "override_id"])["side"]
    both: pd.Series[bool] = sides.transform("min") != sides.transform("max")
    return both


def _virtual(edges: pd.DataFrame, counting: pd.DataFrame) -> pd.DataFrame:
    """One row per actor and override. None for an unlink of which one side only is there: it cannot bite."""
    is_pair = (counting["action"] == "link") | ((counting["action"] == "unlink") & _carries_both(counting))
    rows = counting[is_pair].drop_duplicates(["actor_id", "override_id"]).reset_index(drop=True)
    virtual = edges.iloc[rows["position"]].reset_index(drop=True)
    side = rows["side"].where(rows["action"] == "unlink", 1)
    virtual = virtual.assign(
        identifier_type=rows["action"] + ":" + rows["override_id"], identifier_token=side.astype("str")
    )
    if "kind" in virtual:
        virtual["kind"] = "override"
    if "weight" in virtual:
        virtual["weight"] = 0.0
    return virtual


def _wanted(identifiers: pd.DataFrame, named: set[NamedIdentifier]) -> set[NamedIdentifier]:
    near = identifiers[identifiers["identifier_token"].isin([identifier.token for identifier in named])]
    return {NamedIdentifier(*row) for row in near[IDENTIFIER].itertuples(index=False)} & named


def _frame(identifiers: Iterable[NamedIdentifier]) -> pd.DataFrame:
    return pd.DataFrame(sorted(set(identifiers)), columns=IDENTIFIER, dtype="str")
