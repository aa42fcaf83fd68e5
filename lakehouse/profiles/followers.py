"""Who follows a micro-batch of profiles, as it knows them: the online store, and the topic of audiences."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from lakehouse.features.definition import Features
from lakehouse.identity.index import Index
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.derivation import GoldRows, OnDriver


class OnlineWriter(Protocol):
    """What keeps the online store, see lakehouse/online/online_step.py. It may fail without failing the micro-batch."""

    @property
    def is_due(self) -> bool: ...
    @property
    def is_behind(self) -> bool: ...
    @property
    def owed(self) -> Collection[str]: ...
    def catch_up(self, index: Index, now: datetime) -> set[str]: ...
    def put(self, rows: GoldRows | OnDriver, index: Index, now: datetime) -> bool: ...
    def settle(self, now: datetime) -> None: ...
    def use(self, features: Features) -> None: ...


class AudienceTeller(Protocol):
    """What tells a topic who entered and left an audience, see lakehouse/audiences/telling.py. What it could not tell it owes; it never fails."""

    @property
    def is_due(self) -> bool: ...
    def tell(self, profile_ids: Collection[str] | None, record: BatchRecord | None) -> None: ...
