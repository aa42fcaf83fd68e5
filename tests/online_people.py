"""People as the online store knows them, for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lakehouse.events.identifier import Identifier
from lakehouse.online.online_profile import COLUMNS, PROFILE, OnlineProfile, profile_documents
from lakehouse.online.store import Document, OnlineStore

SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def person(profile_id: str, identifiers: Sequence[Identifier], **changes: Any) -> OnlineProfile:
    """A profile that has done little; `changes` to its fields and figures."""
    own: dict[str, Any] = {"profile_id": profile_id, "version": 1, "identifiers": tuple(identifiers)}
    own |= {"bought": (), "bought_at": (), "is_known": True}
    figures: dict[str, Any] = {
        **dict.fromkeys(COLUMNS),
        **dict.fromkeys(("first_seen_at", "last_seen_at", "as_of", "updated_at"), SEEN),
        **dict.fromkeys(("event_count", "view_count", "cart_count"), 1),
        **{"frequency": 0, "monetary": Decimal("0.00"), "next_best_action": "none"},
    }
    figures |= {name: value for name, value in changes.items() if name in figures}
    own |= {name: value for name, value in changes.items() if name not in figures}
    own["bought_at"] = own["bought_at"] or (SEEN,) * len(own["bought"])
    return OnlineProfile(figures=figures, **own)


def put(store: OnlineStore, profile: OnlineProfile) -> None:
    owners = dict.fromkeys(profile.identifiers, profile.profile_id)
    pointers = profile_documents([], {}, owners, version=profile.version)
    store.put([Document(PROFILE + profile.profile_id, profile.version, profile.encode()), *pointers])
