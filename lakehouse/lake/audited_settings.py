"""What of the configuration says whom the product may know, reach and let in: in the audit log, whenever it is another than before.

Of the settings a digest is noted, for they are under version control; of access who may what. Whoever starts with them notes them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lakehouse.config import Config
from lakehouse.config import keys as callers
from lakehouse.lake import audit
from lakehouse.machine import account

SECTIONS = ("consent", "identity", "training", "events", "audiences", "decisions", "actions")
_DIGITS = 16


def note_settings(config: Config, *, now: datetime) -> None:
    """Add a row for each of the two that has changed."""
    by = account()
    audit.note_state(config, "settings", settings(config), by=by, now=now)
    audit.note_state(config, "access", access(config), by=by, now=now)


def settings(config: Config) -> dict[str, str]:
    """Section -> 16 hex digits of what it says. Of [privacy] no key is among it, but its id."""
    told = {name: _digest(dataclasses.asdict(getattr(config, name))) for name in SECTIONS}
    privacy = dataclasses.replace(config.privacy, hmac_key="")
    return told | {"privacy": _digest(dataclasses.asdict(privacy))}


def access(config: Config) -> dict[str, Any]:
    """Who may call the service, and what for. `key`: the first digits of what is kept of it, so that one that was replaced shows."""
    keys = [
        {"name": one.name, "scopes": sorted(one.scopes), "key": one.digest.hex()[:8]}
        for one in map(callers.read, config.serving.keys)
    ]
    return {"keys": keys, "oauth": _digest(dataclasses.asdict(config.oauth)), "host": config.serving.host}


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_plain).encode()).hexdigest()[:_DIGITS]


def _plain(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
