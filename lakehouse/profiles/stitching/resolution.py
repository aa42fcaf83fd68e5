"""The identity step of a micro-batch: what of the graph the batch touches, solved and written.

    facts of the batch -> overrides asked for -> likely pairs -> touched (index) -> solve -> edges, log, history, map, index

Only the components that the batch's facts reach are read, from an index beside the driver; `lakehouse.identity` solves
them as one pure function of their edges. Each write is recomputed from what is stored, so a crash between two of them
heals on replay, and the log is never behind the map.
"""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import repeat

import numpy as np
import pandas as pd

from lakehouse.identity import override_store, overrides, reach
from lakehouse.identity.hubs import Rules
from lakehouse.identity.index import Index, micros, or_none
from lakehouse.identity.matches import MATCH, MATCH_RULE
from lakehouse.identity.override_store import Taken
from lakehouse.identity.overrides import Override
from lakehouse.identity.rules_fingerprint import is_blocked
from lakehouse.identity.touched_components import IDENTIFIER, resolve
from lakehouse.lake.delta import Lake
from lakehouse.matching.model import MatchModel
from lakehouse.profiles.stitching import identity_tables, rule_changes
from lakehouse.profiles.stitching.graph_facts import Facts
from lakehouse.profiles.stitching.match_pairs import blocks_version, with_pairs, write_blocks
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

log = logging.getLogger("stitchlake.identity")


class IdentityStep:
    """The identity of one lake, batch after batch. Keeps the index; everything else is in the lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.is_fresh = True  # the next batch is the first after a start, or after a failure
        self._index: Index | None = None
        self._taken: Taken | None = None
        self._blocks_version: str | None = None
        self._rules_have_changed = False
        self._seeds: set[str] = set()  # actors whose components are to be solved again
        self._logged: pd.DataFrame | None = None  # changes that the log has, and the map perhaps not

    def start_again(self, seeds: Collection[str]) -> None:
        """Rows were deleted by somebody else: remember nothing of the tables, and solve the components of these actors again."""
        self.is_fresh, self._index, self._taken = True, None, None
        self._blocks_version = None
        self._seeds |= set(seeds)

    @property
    def rules(self) -> Rules:
        return {**self.lake.config.identity.rules, MATCH: MATCH_RULE}

    @property
    def batch_id_without_batch(self) -> int:
        """For work that no micro-batch brings: negative, and the same until the map is written.

        So an attempt that died after it wrote the log finds its own rows there.
        """
        digest = hashlib.sha256(self.lake.version(SILVER_IDENTITY_MAP).encode()).hexdigest()
        return -int(digest[:15], 16)

    def is_due(self, matcher: MatchModel | None) -> bool:
        """Whether there is something to do although no event came."""
        if self.is_fresh or override_store.pending(self.lake):
            return True
        return matcher is not None and matcher.version != self._blocks_version

    @property
    def index(self) -> Index:
        """The index, held to the tables at the start and after a failure."""
        if self._index is None:
            self._index = identity_tables.current_index(self.lake)
        return self._index

    def resolve_batch(
        self,
        facts: Facts,
        *,
        batch_id: int,
        now: datetime,
        matcher: MatchModel | None = None,
        described: Collection[str] = (),
    ) -> set[str]:
        """Bring edges, log, history and map up to date with the batch, the overrides asked for, and the matcher.

        `matcher`: the champion; None = likely pairs stay what they are. `described`: actors whose traits the batch may have
        changed.

        Returns the profiles its actors are in now, and those that lost or won actors: at the start those of the last batch
        before it, too, which may have died before gold had them.
        """
        # Until all is written the index is not to be trusted, and a crash may have left work for the next batch.
        index, self._index = self.index, None
        is_fresh, self.is_fresh = self.is_fresh, True
        taken = self._taken = override_store.take_in(self.lake, now, self._taken)
        facts = _with_overrides(facts, taken)
        facts = replace(facts, seeds=[*facts.seeds, *self._seeds]) if self._seeds else facts
        matched = None
        if matcher is not None:
            who = None if self._is_new(matcher) else described
            facts, matched = with_pairs(self.lake, index, matcher, facts, who, now=now, is_fresh=is_fresh)
        resolved = self._settled_rules if is_fresh else self._resolve
        profiles = resolved(index, facts, batch_id, now, taken.active)
        if matcher is not None and matched is not None:
            write_blocks(self.lake, matched)
            self._blocks_version = matcher.version
        self._index, self.is_fresh = index, False
        self._seeds.clear()
        return profiles

    def settle(self) -> None:
        """Gold shows what was asked for: the requests are done with."""
        if self._taken is not None and self._taken.files:
            override_store.settle(self.lake, self._taken)

    def _is_new(self, matcher: MatchModel) -> bool:
        if self._blocks_version is None:
            self._blocks_version = blocks_version(self.lake)
        return self._blocks_version != matcher.version

    def _settled_rules(
        self, index: Index, facts: Facts, batch_id: int, now: datetime, active: Collection[Override]
    ) -> set[str]:
        """`_resolve` after a start: with everything that may be left over from before it, and by the rules of today."""
        logged = self._logged = identity_tables.last_changes(self.lake)
        known = rule_changes.applied(self.lake)
        are_new = rule_changes.are_new(self.lake, known)
        self._rules_have_changed = len(known) + are_new > 1
        if are_new and known:
            log.warning("the rules of identity have changed: every component is solved again")
        facts = replace(facts, seeds=[*facts.seeds, *reach.everyone(index)]) if are_new else facts
        profiles = self._resolve(index, facts, batch_id, now, active) | _profiles(logged)
        if are_new:
            rule_changes.record(self.lake, now)
        return profiles

    def _resolve(
        self,
        index: Index,
        facts: Facts,
        batch_id: int,
        now: datetime,
        active: Collection[Override],
    ) -> set[str]:
        known = reach.places(index, facts.actors["actor_id"].tolist())
        news = self._news(facts, known)
        profiles = set(known["profile_id"].tolist())
        if news.are_none:
            return profiles
        gone, seeds = news.gone_edges, {*news.seeds, *news.actors["actor_id"].tolist()}
        stored = reach.touched(
            index, news.actors, news.new_edges, self.rules, gone_edges=gone, seeds=seeds, also=news.also
        )
        written_at = identity_tables.next_time(index, now)
        resolution = resolve(
            news.actors,
            news.new_edges,
            stored,
            self.rules,
            batch_id=batch_id,
            now=written_at,
            gone_edges=gone,
            view=partial(overrides.apply, overrides=tuple(active)),
            match_probability=self.lake.config.matching.match_probability,
        )
        identity_tables.write(self.lake, index, resolution, now=written_at, logged=self._logged)
        if self._logged is not None:
            # The batch that logged them may come after others, as after what was due without one.
            placed = set(resolution.map.kept["actor_id"].tolist())
            left = [row for row, actor in enumerate(self._logged["actor_id"].tolist()) if actor not in placed]
            self._logged = self._logged.take(left)
        return profiles | set(resolution.map.kept["profile_id"].tolist()) | _profiles(resolution.log_rows)

    def _news(self, facts: Facts, known: pd.DataFrame) -> Facts:
        """The facts without actors that are known, and were not seen earlier than known: they bring nothing.

        An edge that says its kind or weight is news whoever brings it.
        """
        since = dict(zip(known["actor_id"].tolist(), micros(known["first_seen_at"]), strict=True))
        seen = zip(facts.actors["actor_id"].tolist(), micros(facts.actors["first_seen_at"]), strict=True)
        is_new = [actor not in since or at < since[actor] for actor, at in seen]
        told = {actor for actor, is_it in zip(facts.actors["actor_id"].tolist(), is_new, strict=True) if not is_it}
        kinds = or_none(facts.new_edges["kind"]) if "kind" in facts.new_edges else repeat(None)
        brings = zip(facts.new_edges["actor_id"].tolist(), kinds, strict=False)
        news = [row for row, (actor, kind) in enumerate(brings) if actor not in told or kind is not None]
        new_edges = facts.new_edges.take(news)
        if self._rules_have_changed and len(new_edges):  # a replay takes silver's rows, read by the old rules
            new_edges = new_edges[~is_blocked(new_edges, self.lake.config)]
        return replace(facts, actors=facts.actors.take(np.flatnonzero(is_new)), new_edges=new_edges)


def _with_overrides(facts: Facts, taken: Taken) -> Facts:
    """The facts, and the identifiers whose carriers an override concerns: one that is new, or that the batch meets."""
    if not taken.active and taken.changed.empty:
        return facts
    met = overrides.siblings(facts.new_edges[IDENTIFIER], taken.active)
    concerned = pd.concat([taken.changed, met], ignore_index=True)[IDENTIFIER].drop_duplicates()
    return replace(facts, also=[*facts.also, *concerned.itertuples(index=False, name=None)])


def _profiles(log_rows: pd.DataFrame) -> set[str]:
    return {profile for side in ("from_profile_id", "to_profile_id") for profile in or_none(log_rows[side])} - {None}
