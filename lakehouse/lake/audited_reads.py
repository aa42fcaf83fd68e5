"""Reads of profiles in the audit log, which names nobody, and can be asked about somebody.

One row is of one caller and of some seconds: from when to when, how many reads, and whose profiles.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lakehouse.config import Config
from lakehouse.lake import audit
from lakehouse.lake.profile_read import ProfileRead, hash_of

PROFILES = "GET /api/profiles"
_MOST_PROFILES = 1_000  # of one row
NOBODY_NAMED = "nobody was asked for a key"


def note_reads(config: Config, reads: Iterable[ProfileRead], *, now: datetime) -> None:
    """Add a row for each caller, and for each thousand reads of theirs."""
    by_caller: dict[str, list[ProfileRead]] = {}
    for read in sorted(reads, key=lambda one: (one.by, one.at)):
        by_caller.setdefault(read.by, []).append(read)
    for by, told in by_caller.items():
        for first in range(0, len(told), _MOST_PROFILES):
            part = told[first : first + _MOST_PROFILES]
            audit.note(config, "read", by=by or NOBODY_NAMED, detail=_detail(part), now=now)


def reads_of(config: Config, profile_id: str) -> Iterator[Mapping[str, Any]]:
    """The rows that tell of a read of the profile, in order: at, by and detail, as they stand there."""
    wanted = hash_of(config.privacy, profile_id)
    for row in audit.rows_of(config, "read"):
        if wanted in json.loads(row["detail"]).get("profiles", ()):
            yield row


def _detail(reads: Sequence[ProfileRead]) -> dict[str, Any]:
    return {
        "what": PROFILES,
        "from": min(read.at for read in reads).isoformat(),
        "to": max(read.at for read in reads).isoformat(),
        "reads": len(reads),
        "profiles": sorted({read.profile for read in reads if read.profile is not None}),
    }
