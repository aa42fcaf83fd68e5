"""How far a continuous export has looked at the feed, and what was declared then: `<lake.root>/_exports/<name>.json`.

It only saves work. Where it is not there, or cannot be read, because it is torn, or somebody else's, everybody is compared once more.
"""

import json
import logging
from datetime import UTC, datetime
from typing import NamedTuple

from lakehouse.exports.feed import Position
from lakehouse.lake import stamp

FOLDER = "_exports"
log = logging.getLogger("stitchlake.exports")


class Kept(NamedTuple):
    """declared: a digest of what decided about everybody alike."""

    position: Position
    declared: str


NOBODY_LOOKED = Kept({}, "")


def read(root: str, export: str) -> Kept:
    """As it was written last; NOBODY_LOOKED where nobody can say."""
    try:
        text = stamp.read(f"{root}/{FOLDER}", f"{export}.json", None)
        return NOBODY_LOOKED if text is None else _kept(json.loads(text))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning(
            "export %s: %s/%s.json cannot be read, got %s, expected how far it had looked. Everybody is compared",
            *(export, FOLDER, export, type(error).__name__),
        )
        return NOBODY_LOOKED


def write(root: str, export: str, kept: Kept) -> None:
    """All or nothing."""
    told = {table: time.isoformat() for table, time in kept.position.items()}
    text = json.dumps({"declared": kept.declared, "position": told})
    stamp.restamp(f"{root}/{FOLDER}", f"{export}.json", text, None)


def _kept(told: dict[str, dict[str, str]]) -> Kept:
    position = {table: datetime.fromisoformat(time) for table, time in told["position"].items()}
    if any(time.tzinfo is None for time in position.values()):
        raise ValueError("a time without a zone")
    return Kept({table: time.astimezone(UTC) for table, time in position.items()}, str(told["declared"]))
