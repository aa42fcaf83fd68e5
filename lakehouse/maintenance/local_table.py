"""One table on this machine, by delta-rs: its small files, its old files, its log.

Each step is one commit or deletes what no version needs, so a process may die between any two. The commits change no row, and say so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from lakehouse.lake import delta_rs, time_order
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.open_tables import opened
from lakehouse.lake.retention import Retention
from lakehouse.maintenance import log_files
from lakehouse.tables.contract import Table

FEWEST_FILES = 16  # fewer small ones are left as they are
# A file of the first size is never written again for being small. The others are for when all that is smaller is too much at once.
TARGETS: tuple[int, ...] = tuple(2**power for power in range(25, 19, -1))
CHECKPOINT_AFTER = 40  # commits; writers make one after 20, unless they failed to


def target_bytes(sizes: Sequence[int], most_bytes: int | None) -> int | None:
    """The size below which files are put together, into files of this size; None = there are few, or they are too much.

    `most_bytes`: to be rewritten at once; None = any. Too much for one size may be little for a lower one.
    """
    for target in TARGETS:
        small = [size for size in sizes if size < target]
        if len(small) >= FEWEST_FILES and (most_bytes is None or sum(small) <= most_bytes):
            return target
    return None


def compact(table: Table, path: str, *, most_bytes: int | None) -> tuple[int, int]:
    """Put small files together. How many were, and how many are left because they are more than `most_bytes`."""
    if table.time_column is not None:
        return _tidied(table, path, table.time_column, most_bytes)
    stored = opened(path)
    sizes: list[int] = pa.table(stored.get_add_actions())["size_bytes"].to_pylist()
    target = target_bytes(sizes, most_bytes)
    if target is None:
        return 0, len(sizes) if target_bytes(sizes, None) is not None else 0
    said = stored.optimize.compact(target_size=target, commit_properties=delta_rs.changing_no_row(stored))
    return int(said["numFilesRemoved"]), 0


def has_older(path: str, column: str, before: datetime) -> bool:
    """Whether there are rows of before. By what the log says of each file; none is read."""
    adds = pa.table(opened(path).get_add_actions(flatten=True))
    oldest = adds[f"min.{column}"].to_pylist() if adds.num_rows else []
    times = (one if one.tzinfo else one.replace(tzinfo=UTC) for one in oldest if one is not None)
    return any(one < before for one in times)


def _tidied(table: Table, path: str, column: str, most_bytes: int | None) -> tuple[int, int]:
    files = time_order.files_of(opened(path), path, column)
    is_small = [file.bytes < time_order.FILE_BYTES // 4 for file in files]
    are_few = sum(is_small) < FEWEST_FILES and time_order.layers(files) <= 2 * time_order.MOST_LAYERS
    if are_few and not any(map(time_order.is_poured, files)):
        return 0, 0
    schema, noting = arrow_schema(table), delta_rs.changing_no_row
    done = time_order.tidy(table, path, schema, most_bytes=most_bytes, noting=noting)
    return done, len(files) if not done and time_order.untidy(files) else 0


def vacuum(path: str) -> int:
    """Delete files that no version of the table's retention needs; how many that were.

    `full`: the files of a change feed are in no version, nor are those of a writer that died; they are only found by looking.
    """
    stored = opened(path)
    noting = delta_rs.changing_no_row(stored)
    return len(stored.vacuum(None, dry_run=False, full=True, commit_properties=noting))


def purge(path: str) -> None:
    """Let nothing be left of what the table held before: no file, and no commit but the newest. Who reads an older version fails.

    The log first: what a change feed tells of the commits that delete files stays readable.
    """
    opened(path).create_checkpoint()
    log_files.trim(Path(path) / log_files.FOLDER, datetime.now(UTC) + timedelta(days=1))
    stored = opened(path)
    noting = delta_rs.changing_no_row(stored)
    stored.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True, commit_properties=noting)


def trim_log(path: str, retention: Retention, now: datetime) -> int:
    """Delete the log of versions that are older than the retention; how many files that were."""
    folder = Path(path) / log_files.FOLDER
    if log_files.behind(log_files.listed(folder)) >= CHECKPOINT_AFTER:
        opened(path).create_checkpoint()
    return log_files.trim(folder, now - retention.keep)
