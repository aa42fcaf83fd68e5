"""How long what a table was stays readable: files that no version needs any more, and the log that tells of old versions.

One figure, `lake.keep_hours`, for both and for every table. It stands in the table's own properties, so that whoever else maintains
the table keeps to it, too. Transactions are not among what goes: `delta.setTransactionRetentionDuration` is never set, and every
checkpoint carries them on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from lakehouse.config import LakeConfig

# On an object store nobody knows which files a writer has written and not committed yet. A week is Delta's own least.
LEAST_REMOTE = timedelta(hours=168)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """keep: what was replaced no longer ago can be read. trims_log: by lakehouse/maintenance, and by no writer beside its commits."""

    keep: timedelta
    trims_log: bool

    @property
    def properties(self) -> Mapping[str, str]:
        """As Delta notes them."""
        keep = f"interval {int(self.keep.total_seconds())} seconds"
        return {
            "delta.deletedFileRetentionDuration": keep,
            "delta.logRetentionDuration": keep,
            "delta.enableExpiredLogCleanup": "false" if self.trims_log else "true",
        }


def retention(config: LakeConfig, *, is_here: bool) -> Retention:
    """Of every table of the lake. `is_here`: it is written by delta-rs, and by one process.

    There writers let the log be. delta-rs would let go of the version that was current when the time began, and Spark only
    trims whole days.
    """
    keep = timedelta(hours=config.keep_hours)
    return Retention(keep=keep if is_here else max(keep, LEAST_REMOTE), trims_log=is_here)
