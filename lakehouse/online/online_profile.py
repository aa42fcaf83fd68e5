"""Profiles in the online store: what a decision needs of a person, by any of its identifiers.

p:<profile_id>      a profile's document
i:<type>:<token>    the profile_id an identifier stands for
m:profiles          what the store holds: see lakehouse/online/store_state.py
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Self

import orjson

from lakehouse.config import IdentityConfig
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.features.online_values import Sums
from lakehouse.online.store import REBUILD, Document, OnlineStore
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION

PROFILE, IDENTIFIER = "p:", "i:"
MOST_IDENTIFIERS = 64
MOST_BOUGHT = 200
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
COLUMNS = {column.name: column for column in GOLD_ACTIVATION.columns if column.is_online}
_TIMES = frozenset(name for name, column in COLUMNS.items() if column.type == "timestamp")
_MONEY = frozenset(name for name, column in COLUMNS.items() if column.type.startswith("decimal"))
_NEVER_NULL = tuple(name for name, column in COLUMNS.items() if not column.nullable)

SAID = "consent_said"  # purpose -> when it was spoken of last; of the array of a row
_OF_BROWSERS = ("anonymous_id", "device_id")  # as many as somebody has cookies

Row = Mapping[str, Any]
NO_SUMS: Sums = {}


@dataclass(frozen=True, kw_only=True)
class OnlineProfile:
    """One person, as of `version`.

    identifiers: (type, token), the one that turned up last in a new bundle first, at most MOST_IDENTIFIERS:
    of more, cookies and devices are left out first, for what somebody said of an address must be found however many came since.
    is_known: whether it has a user id. bought: products of its orders, the last bought first, each once, at most
    MOST_BOUGHT; bought_at: when each was last ordered. figures: COLUMNS, which mean what the contract of gold.activation says; SAID as a mapping. sums: what its
    features are made of, JSON as lakehouse/features/online_sums.py says, and text until somebody asks: many profiles are in memory. Times are UTC, to the millisecond.
    """

    profile_id: str
    version: int
    identifiers: tuple[Identifier, ...]
    bought: tuple[str, ...]
    bought_at: tuple[datetime, ...]
    is_known: bool
    figures: Mapping[str, Any]
    sums: str = "{}"

    @classmethod
    def from_row(cls, row: Row, identifiers: Sequence[Identifier], *, version: int, sums: Sums = NO_SUMS) -> Self:
        """From a row of gold.activation with `purchases`: [{ordered_at, order_id, products}] or null, in no order."""
        bought = _bought(row["purchases"] or ())
        return cls(
            profile_id=row["profile_id"],
            version=version,
            identifiers=_kept(identifiers),
            bought=tuple(bought),
            bought_at=tuple(map(_to_millisecond, bought.values())),
            is_known=bool(row["user_ids"]),
            figures={name: _figure(name, row[name]) for name in COLUMNS},
            sums=orjson.dumps(sums).decode(),
        )

    @cached_property
    def last_bought(self) -> Mapping[str, int]:
        """Product -> when it was ordered last, UTC milliseconds since 1970."""
        return {product: (at - _EPOCH) // _MILLISECOND for product, at in zip(self.bought, self.bought_at, strict=True)}

    def read_sums(self) -> Sums:
        """`sums`, read. Raises StoreError: they cannot be."""
        try:
            read: Sums = orjson.loads(self.sums)
        except ValueError as error:
            raise StoreError(
                f"online store: sums of a profile cannot be read, got {self.sums[:40]!r}. {REBUILD}"
            ) from error
        return read

    def own_fields(self) -> dict[str, Any]:
        """Everything but the figures, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "figures"}

    def encode(self) -> bytes:
        """JSON: times as milliseconds since 1970, money as text."""
        values: dict[str, Any] = {**self.own_fields(), **self.figures}
        for name in _TIMES:
            values[name] = _to_ms(values[name])
        for name in _MONEY:
            values[name] = str(values[name])
        if values[SAID] is not None:
            values[SAID] = {purpose: _to_ms(at) for purpose, at in values[SAID].items()}
        values["bought_at"] = list(map(_to_ms, self.bought_at))
        return orjson.dumps(values)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """`encode` undone. What a later version adds is not read.

        Raises:
            StoreError: not a document of this kind.
        """
        try:
            sent = orjson.loads(data)
            if None in [sent[name] for name in _NEVER_NULL]:
                raise ValueError("a column is null that never is")
            values = {name: sent.get(name) for name in COLUMNS}
            for name in _TIMES:
                values[name] = _from_ms(values[name])
            for name in _MONEY:
                values[name] = Decimal(values[name])
            if values[SAID] is not None:
                values[SAID] = {purpose: _from_ms(at) for purpose, at in values[SAID].items()}
            return cls(
                profile_id=sent["profile_id"],
                version=sent["version"],
                identifiers=tuple((type_, token) for type_, token in sent["identifiers"]),
                bought=tuple(sent["bought"]),
                bought_at=tuple(datetime.fromtimestamp(at / 1000, UTC) for at in sent["bought_at"]),
                is_known=sent["is_known"],
                figures=values,
                sums=_text(sent.get("sums", "{}")),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, InvalidOperation) as error:
            raise StoreError(
                f"online store: a profile's document cannot be read, got {type(error).__name__}: {error}. {REBUILD}"
            ) from error


def profile_documents(
    rows: Iterable[Row],
    identifiers: Mapping[str, Sequence[Identifier]],
    owners: Mapping[Identifier, str | None],
    *,
    version: int,
    sums: Mapping[str, Sums] = NO_SUMS,
) -> list[Document]:
    """A document for every profile, gone ones marked so, and one for every identifier.

    Args:
        rows: see `OnlineProfile.from_row`, and `is_deleted`: the profile has no actor any more.
        identifiers: of each profile.
        owners: of every identifier of these profiles, now and before; None = nobody's.
        version: of all of them.
        sums: of each profile that has any.
    """
    found = []
    for row in rows:
        key = PROFILE + row["profile_id"]
        if row["is_deleted"]:
            found.append(Document(key, version, None))
        else:
            own, its_sums = identifiers.get(row["profile_id"], ()), sums.get(row["profile_id"], NO_SUMS)
            profile = OnlineProfile.from_row(row, own, version=version, sums=its_sums)
            found.append(Document(key, version, profile.encode()))
    for identifier, owner in owners.items():
        found.append(Document(identifier_key(identifier), version, None if owner is None else orjson.dumps(owner)))
    return found


def identifier_key(identifier: Identifier) -> str:
    type_, token = identifier
    return f"{IDENTIFIER}{type_}:{token}"


def by_id(store: OnlineStore, profile_id: str) -> OnlineProfile | None:
    """The profile of that id; None when there is none.

    Raises:
        StoreError: the store does not answer, or holds something else there.
    """
    (data,) = store.get([PROFILE + profile_id])
    return None if data is None else OnlineProfile.decode(data)


def find(store: OnlineStore, identifiers: Iterable[Identifier], rules: IdentityConfig) -> OnlineProfile | None:
    """The profile of the strongest identifier (lowest `priority`) that stands for one; None when none does.

    Raises:
        StoreError: as `by_id`.
    """
    return next(find_each(store, identifiers, rules), None)


def find_each(store: OnlineStore, identifiers: Iterable[Identifier], rules: IdentityConfig) -> Iterator[OnlineProfile]:
    """Every profile the identifiers stand for, that of the strongest first. Raises StoreError as `by_id`."""
    found = owners_of(store, identifiers, rules).values()
    yield from {one.profile_id: one for one in found if one is not None}.values()


def owners_of(
    store: OnlineStore, identifiers: Iterable[Identifier], rules: IdentityConfig
) -> dict[Identifier, OnlineProfile | None]:
    """The profile of each identifier whose type is configured, the strongest first; None = it stands for none. Raises StoreError as `by_id`."""
    known = [one for one in dict.fromkeys(identifiers) if one[0] in rules.rules]
    known.sort(key=lambda one: rules.rules[one[0]].priority)
    pointed = store.get([identifier_key(one) for one in known]) if known else []
    ids = [None if data is None else profile_id_of(data) for data in pointed]
    profiles = {one: by_id(store, one) for one in dict.fromkeys(ids) if one is not None}
    return {one: None if id_ is None else profiles[id_] for one, id_ in zip(known, ids, strict=True)}


def profile_id_of(data: bytes) -> str:
    """What an identifier's document says."""
    try:
        found = orjson.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, str):
        raise StoreError(f"online store: an identifier's document cannot be read, got {data[:40]!r}. {REBUILD}")
    return found


def _kept(identifiers: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """Those a document has room for, in the order given."""
    if len(identifiers) <= MOST_IDENTIFIERS:
        return tuple(identifiers)
    by_need = sorted(identifiers, key=lambda identifier: identifier[0] in _OF_BROWSERS)
    room = set(by_need[:MOST_IDENTIFIERS])
    return tuple(identifier for identifier in identifiers if identifier in room)


def _bought(purchases: Iterable[Row]) -> dict[str, datetime]:
    """Product -> when it was last ordered, the newest first."""
    found: dict[str, datetime] = {}
    for purchase in sorted(purchases, key=lambda one: (one["ordered_at"], one["order_id"]), reverse=True):
        for product in purchase["products"] or ():
            if product is not None and len(found) < MOST_BOUGHT:
                found.setdefault(product, purchase["ordered_at"])
    return found


def _to_millisecond(at: datetime | None) -> Any:
    return None if at is None else at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def _figure(name: str, value: Any) -> Any:
    """A column of a row of gold as a document has it."""
    if name == SAID:
        return None if value is None else {one["purpose"]: _to_millisecond(one["at"]) for one in value}
    return _to_millisecond(value) if name in _TIMES else value


def _text(sent: Any) -> str:
    if not isinstance(sent, str):
        raise TypeError(f"sums are {type(sent).__name__}")
    return sent


def _to_ms(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MILLISECOND


def _from_ms(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + at * _MILLISECOND
