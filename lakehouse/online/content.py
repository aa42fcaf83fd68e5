"""What the online store must hold of gold and the identity tables: written, filled anew, compared; and the facts, filled in."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import StoreError
from lakehouse.events.clock import microseconds
from lakehouse.events.facts import Availability, ExperimentStart, Fact
from lakehouse.events.identifier import Identifier
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.features.online_sums import carried as carried_sums
from lakehouse.features.online_sums import online_sums
from lakehouse.features.online_values import Sums
from lakehouse.identity.index import Index
from lakehouse.identity.owners import identifiers_of, owners
from lakehouse.identity.reach import members
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake
from lakehouse.online.fact_documents import document
from lakehouse.online.online_profile import (
    IDENTIFIER,
    NO_SUMS,
    PROFILE,
    OnlineProfile,
    identifier_key,
    profile_documents,
    profile_id_of,
)
from lakehouse.online.store import Document, OnlineStore
from lakehouse.online.store_state import advance
from lakehouse.profiles import rollup
from lakehouse.profiles.derivation import GoldRows, OnDriver, here_of
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold_writes import stamped, stamped_here
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.facts import SILVER_EXPERIMENT_STARTS, SILVER_PRODUCT_AVAILABILITY
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

log = logging.getLogger("stitchlake.online")

PIECE = 10_000  # profiles on the driver at once
Days = Callable[[Collection[str]], pa.Table]
"""Gives rows of silver.feature_days, those of these actors among them."""


def write(
    store: OnlineStore,
    lake: Lake,
    index: Index,
    rows: pa.Table,
    *,
    version: int,
    features: Features = NO_FEATURES,
    days: pa.Table | None = None,
) -> None:
    """Put the profiles with the sums of their online features, and every identifier they have or had. The caller writes the lake.

    `days`: rows of silver.feature_days, those of all their actors among them; None = they are looked up.
    """
    profiles: list[str] = rows["profile_id"].to_pylist()
    looked_up = partial(row_runs.rows_of, lake, SILVER_FEATURE_DAYS)
    sums = sums_of(index, rows, features, looked_up if days is None else lambda _: days)
    carried = identifiers_of(index, profiles)
    named: dict[Identifier, None] = dict.fromkeys(one for those in carried.values() for one in those)
    for data in store.get([PROFILE + profile for profile in profiles]):
        named |= dict.fromkeys(_identifiers_in(data))
    owned = owners(index, named, lake.config.identity.rules)
    store.put(profile_documents(rows.to_pylist(), carried, owned, version=version, sums=sums))


def sums_of(index: Index, rows: pa.Table, features: Features, days: Days) -> Mapping[str, Sums]:
    """What the documents of these rows of gold.activation carry for the online features, by profile."""
    kinds = carried_sums(features)
    if not kinds:
        return {}
    living = {
        row["profile_id"]: row["as_of"] for row in rows.select(["profile_id", "as_of"]).to_pylist() if row["as_of"]
    }
    placed = members(index, living)
    profile_of = dict(zip(placed["actor_id"].tolist(), placed["profile_id"].tolist(), strict=True))
    return online_sums(days(profile_of), profile_of, living, kinds)


def stands_for(lake: Lake, features: Features) -> str:
    """The state of the lake that a whole store stands for: of gold.activation, and of what documents carry for features."""
    gold, kinds = lake.version(GOLD_ACTIVATION), carried_sums(features)
    if not kinds:
        return gold
    told = sorted((name, kind.grain, kind.buckets, sorted(kind.fields)) for name, kind in kinds.items())
    return f"{gold} features {blake2b(repr(told).encode(), digest_size=8).hexdigest()}"


def _identifiers_in(data: bytes | None) -> Sequence[Identifier]:
    """Of a stored document; one that cannot be read is about to be replaced."""
    try:
        return () if data is None else OnlineProfile.decode(data).identifiers
    except StoreError:
        return ()


def fill(store: OnlineStore, lake: Lake, index: Index, *, now: datetime, features: Features = NO_FEATURES) -> int:
    """Put everything gold holds and take out everything else; how many profiles there are."""
    gold = stands_for(lake, features)
    first = advance(store, gold=None, now_ms=_ms(now))
    count = 0
    for rows in gold_rows(lake):
        write(store, lake, index, rows, version=advance(store, gold=None, now_ms=_ms(now)), features=features)
        count += rows.num_rows
    store.put(_strangers(store, lake, index, first, advance(store, gold=None, now_ms=_ms(now))))
    advance(store, gold=gold, now_ms=_ms(now))
    log.info("the online store was filled from gold: %d profiles", count)
    return count


def fill_facts(store: OnlineStore, lake: Lake) -> int:
    """Put every fact of the lake; of how many the store knew nothing, or something older."""
    return store.put(map(document, _facts(lake)))


def _facts(lake: Lake) -> Iterator[Fact]:
    for batch in lake.batches(SILVER_PRODUCT_AVAILABILITY):
        for row in batch.to_pylist():
            at_ms = microseconds(row["stated_at"]) // 1000
            yield Availability(product_id=row["product_id"], is_available=row["is_available"], at_ms=at_ms)
    for batch in lake.batches(SILVER_EXPERIMENT_STARTS):
        for row in batch.to_pylist():
            yield ExperimentStart(
                experiment=row["experiment"],
                layer=row["layer"],
                buckets=(row["buckets"][0], row["buckets"][1]),
                salt=row["salt"],
                arms=tuple((arm["name"], arm["weight"]) for arm in row["arms"]),
                at_ms=microseconds(row["started_at"]) // 1000,
            )


def _strangers(store: OnlineStore, lake: Lake, index: Index, first: int, version: int) -> Iterator[Document]:
    """What a fill that began with version `first` did not write: profiles that are gone, identifiers of nobody."""
    for key, data in store.scan(PROFILE):
        try:
            is_old = OnlineProfile.decode(data).version < first
        except StoreError:
            is_old = True
        if is_old:
            yield Document(key, version, None)
    for key, data in store.scan(IDENTIFIER):
        identifier = identifier_in(key)
        owner = owners(index, [identifier], lake.config.identity.rules)[identifier]
        if owner is None or not _says(data, owner):
            yield Document(key, version, None)


def identifier_in(key: str) -> Identifier:
    type_, _, token = key.removeprefix(IDENTIFIER).partition(":")
    return type_, token


def _says(data: bytes, profile_id: str) -> bool:
    try:
        return profile_id_of(data) == profile_id
    except StoreError:
        return False


def differences(store: OnlineStore, lake: Lake, index: Index, features: Features = NO_FEATURES) -> dict[str, int]:
    """What the store holds otherwise than gold and the identity tables say: profiles and identifiers, by kind."""
    found = dict.fromkeys(("profiles", "missing", "different", "strangers", "identifiers", "wrong_identifiers"), 0)
    profiles: set[str] = set()
    stored = partial(lake.rows_with, SILVER_FEATURE_DAYS, "actor_id")  # who compares may not be the lake's writer
    for rows in gold_rows(lake):
        listed = rows.to_pylist()
        ids = [row["profile_id"] for row in listed]
        profiles.update(ids)
        carried, sums = identifiers_of(index, ids), sums_of(index, rows, features, stored)
        for row, data in zip(listed, store.get([PROFILE + one for one in ids]), strict=True):
            own, its_sums = carried.get(row["profile_id"], ()), sums.get(row["profile_id"], NO_SUMS)
            found["missing"] += data is None
            found["different"] += data is not None and not _holds(data, row, own, its_sums)
        named = dict.fromkeys(one for those in carried.values() for one in those)
        owned = owners(index, named, lake.config.identity.rules)
        for (_, owner), data in zip(owned.items(), store.get([identifier_key(one) for one in owned]), strict=True):
            found["identifiers"] += 1
            found["wrong_identifiers"] += owner is not None and (data is None or not _says(data, owner))
    found["profiles"] = len(profiles)
    found["strangers"] = sum(key.removeprefix(PROFILE) not in profiles for key, _ in store.scan(PROFILE))
    for key, _ in store.scan(IDENTIFIER):
        one = identifier_in(key)
        found["strangers"] += owners(index, [one], lake.config.identity.rules)[one] is None
    return found


def _holds(data: bytes, row: dict[str, object], identifiers: Sequence[Identifier], sums: Sums) -> bool:
    try:
        stored = OnlineProfile.decode(data)
    except StoreError:
        return False
    expected = OnlineProfile.from_row(row, identifiers, version=stored.version, sums=sums)
    # Gold keeps a row in which nothing else would change.
    return stored == replace(expected, figures={**expected.figures, "updated_at": stored.figures["updated_at"]})


def gold_rows(lake: Lake) -> Iterator[pa.Table]:
    """gold.activation as it is stored, in the form `pieces` has."""
    if lake.is_bare(GOLD_ACTIVATION):
        return iter(())
    stored = lake.read(GOLD_ACTIVATION)
    members = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    return _in_pieces(_with_purchases(stored.select("profile_id"), stored, members, lake.read(SILVER_ORDERS)))


def pieces(rows: GoldRows | OnDriver) -> Iterator[pa.Table]:
    """The rows of gold.activation with `purchases` and `is_deleted`, some PIECE at a time; every profile has one."""
    if (here := here_of(rows)) is not None:
        return iter([_with_purchases_here(here)])
    assert isinstance(rows, GoldRows)
    stored = stamped(GOLD_ACTIVATION, rows.tables[GOLD_ACTIVATION], rows.now)
    return _in_pieces(
        _with_purchases(rows.profiles, stored, rows.silver[SILVER_IDENTITY_MAP], rows.silver[SILVER_ORDERS])
    )


def _with_purchases(profiles: DataFrame, activation: DataFrame, members: DataFrame, orders: DataFrame) -> DataFrame:
    """`is_deleted`: no actor belongs to the profile any more."""
    bought = rollup.purchases(rollup.profile_orders(orders, members))
    known = profiles.select("profile_id").join(activation, on="profile_id", how="left")
    rows = known.join(bought, on="profile_id", how="left")
    return rows.withColumn("is_deleted", F.col("first_seen_at").isNull())


def _with_purchases_here(here: OnDriver) -> pa.Table:
    activation = stamped_here(GOLD_ACTIVATION, here)
    profile_ids = pa.array(sorted(here.profile_ids), pa.string())
    rows = activation.take(pc.index_in(profile_ids, value_set=activation["profile_id"].combine_chunks()))
    told = rollup.purchases_here(here.silver[SILVER_ORDERS], here.profile_of)
    bought = told.take(pc.index_in(profile_ids, value_set=told["profile_id"].combine_chunks()))
    rows = rows.set_column(0, "profile_id", profile_ids).append_column("purchases", bought["purchases"])
    return rows.append_column("is_deleted", pc.is_null(rows["first_seen_at"]))


def _in_pieces(rows: DataFrame) -> Iterator[pa.Table]:
    computed = rows.localCheckpoint()
    count = max(1, -(-computed.count() // PIECE))
    for number in range(count):
        yield computed.where(F.pmod(F.xxhash64("profile_id"), F.lit(count)) == number).toArrow()


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
