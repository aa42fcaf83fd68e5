"""One writer for each table of a local lake, and the stamp that says what wrote a lake.

Delta commits on a local file system are not safe across processes: two of them may write one version of one table. So the
one process that may write what the streaming driver writes (rebuild writes it, too) holds an OS lock on
`<lake.root>/_lock`. A job whose tables nobody else writes holds `<lake.root>/_lock.<part>` instead, and runs beside the
driver. The kernel frees a lock when its process dies, also by kill -9. A lake on an object store is not locked: its store
or catalog arbitrates commits, and on S3 whoever runs it sees to one driver (docs/decisions/0098). `<lake.root>/_stitchlake.json` says which layout and which token key
the lake was written with; both must be ours.
"""

import fcntl
import hashlib
import hmac
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.errors import BusyError, LakeError
from lakehouse.lake.stamp import restamp, stamped, unstamp

LAKE_VERSION = 2  # of the layout: raised whenever an older lake cannot be read or written by this code
# Versions of which bronze and silver.events are as they are now, so that a rebuild makes the lake one of ours: 1 had no stored sums.
REBUILT_FROM = (1,)
STAMP = "_stitchlake.json"
SCRATCH = "_few_rows"  # rows of the micro-batch under way (few_rows.py); those of a writer that was killed go when the next one begins
REFILL = "_refill"  # there while silver is being replaced from bronze
# Parts: tables that only a job of their own writes.
DECISION_LOG, HOUSEHOLDS, ORDER_BALANCE, PRODUCTS = "decision_log", "households", "order_balance", "products"
QUARANTINE_REPLAYS, EXPORTS, AUDIT, MODELS = "quarantine_replays", "exports", "audit", "models"
DRIFT, FAIRNESS = "drift", "fairness"
PARTS = {
    "batch/decision_log.py": DECISION_LOG,
    "batch/experiments.py": DECISION_LOG,
    "batch/export.py": EXPORTS,
    "batch/households.py": HOUSEHOLDS,
    "batch/order_balance.py": ORDER_BALANCE,
    "lakehouse/commands/audit.py": AUDIT,
    "lakehouse/commands/quarantine.py": QUARANTINE_REPLAYS,
    "ml/drift.py": DRIFT,
    "ml/fairness.py": FAIRNESS,
    "ml/train_recommender.py": PRODUCTS,
    "ml/train_scores.py": MODELS,
}
"""By the owner of the tables. What another owns the streaming driver writes, and whoever holds the lake."""
_held: set[Path] = set()  # locks this process holds


def is_here(config: Config) -> bool:
    """Whether there is a lake, and on this machine."""
    folder = machine.local_folder(config.lake.root)
    return folder is not None and (folder / STAMP).is_file()


@contextmanager
def writer(
    config: Config,
    spark: SparkSession | None = None,
    *,
    part: str | None = None,
    rebuilds: bool = False,
    refills: bool = False,
) -> Iterator[None]:
    """Hold the lake as its only writer, or only a part of it. Taking it again inside the same process is allowed.

    `rebuilds`: a lake of REBUILT_FROM is let in, and is one of this version afterwards. `refills`: so is one whose refill was
    interrupted, because this one finishes it: see `refilling`.

    Raises:
        BusyError: another process writes; it is named.
        LakeError: the lake is not ours to write: see `open_lake`.
    """
    folder = machine.local_folder(config.lake.root)
    lock = None if folder is None else folder / ("_lock" if part is None else f"_lock.{part}")
    if lock is None or lock in _held:
        with _opened(config, spark, rebuilds=rebuilds, refills=refills or part is not None):
            yield
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as handle:
        _take(handle, lock.parent, part)
        if part is None:
            shutil.rmtree(lock.parent / SCRATCH, ignore_errors=True)
        _held.add(lock)
        try:
            with _opened(config, spark, rebuilds=rebuilds, refills=refills or part is not None):
                yield
        finally:
            _held.remove(lock)


@contextmanager
def _opened(config: Config, spark: SparkSession | None, *, rebuilds: bool, refills: bool) -> Iterator[None]:
    if not refills and (here := machine.local_folder(config.lake.root)) is not None and (here / REFILL).is_file():
        raise LakeError(
            f"{config.lake.root}: batch/rebuild.py --from-bronze was interrupted, got tables of which some are replaced, expected all or "
            "none. Run it again"
        )
    version = open_lake(config, spark, also=REBUILT_FROM if rebuilds else ())
    yield
    if version not in (None, LAKE_VERSION):
        restamp(config.lake.root, STAMP, json.dumps(_stamp(config)), spark)


def is_ours(root: str, owner: str) -> bool:
    """Whether no other process may be writing the tables of that owner: they are no part's, or this process holds theirs."""
    folder, part = machine.local_folder(root), PARTS.get(owner)
    return folder is None or part is None or folder / f"_lock.{part}" in _held


@contextmanager
def refilling(config: Config) -> Iterator[None]:
    """Silver is replaced by what bronze says. Where that is interrupted, on a local lake nobody writes before it was done again."""
    if machine.local_folder(config.lake.root) is None:  # no lock, and so no promise
        yield
        return
    stamped(config.lake.root, REFILL, "", None)
    yield
    unstamp(config.lake.root, REFILL, None)


@contextmanager
def creating(root: str) -> Iterator[None]:
    """Wait for one's turn to create a table: the driver creates those of other jobs, too, for whoever lists them."""
    folder = machine.local_folder(root)
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with machine.file_lock(folder / "_lock.creating"):
        yield


def open_lake(config: Config, spark: SparkSession | None = None, *, also: Collection[int] = ()) -> int | None:
    """Create the lake's folder and stamp when missing; refuse one that this code or key did not write.

    `spark` is needed only for a remote lake: its file system client reads the stamp. Without it a remote lake is not checked.
    `also`: versions let in beside ours. Returns the version of the lake; None = it was not checked, or is new.

    Raises:
        LakeError: the lake's version is not LAKE_VERSION, or its token key is not the configured one.
    """
    if machine.local_folder(config.lake.root) is None and spark is None:
        return None
    ours = _stamp(config)
    text = stamped(config.lake.root, STAMP, json.dumps(ours), spark)
    return None if text is None else _compare(config.lake.root, text, ours, also)


def _stamp(config: Config) -> dict[str, Any]:
    return {
        "version": LAKE_VERSION,
        "hmac_key_id": config.privacy.hmac_key_id,
        "hmac_key_check": _key_check(config.privacy.hmac_key),
    }


def _compare(root: str, text: str, ours: dict[str, Any], also: Collection[int]) -> int:
    """The version of a lake that may be used."""
    try:
        theirs = json.loads(text)
        version: int = theirs["version"]
    except (ValueError, KeyError, TypeError):
        raise LakeError(
            f"{root}/{STAMP}: not a stamp of a lake, got {text[:60]!r}, expected JSON with a version. Choose another lake.root"
        ) from None
    if version != LAKE_VERSION and version not in also:
        remedy = (
            "Stop streaming and run ./spark-submit.sh batch/rebuild.py: it makes this lake one of ours"
            if version in REBUILT_FROM
            else "Use the version that wrote it, or set lake.root to a new folder and replay"
        )
        raise LakeError(
            f"{root}: written by another version of Stitchlake, got lake version {version}, expected {LAKE_VERSION}. {remedy}"
        )
    if theirs.get("hmac_key_id") != ours["hmac_key_id"]:
        raise LakeError(
            f"{root}: written with another token key, got privacy.hmac_key_id '{ours['hmac_key_id']}', "
            f"expected '{theirs.get('hmac_key_id')}'. Configure that key: tokens of two keys never match"
        )
    if theirs.get("hmac_key_check") != ours["hmac_key_check"]:
        raise LakeError(
            f"{root}: privacy.hmac_key is not the key '{ours['hmac_key_id']}' the lake was written with, got another key "
            "under the same id. Configure the first key: tokens of two keys never match"
        )
    return version


def _key_check(key: str) -> str:
    """Tells two keys apart without telling either."""
    return hmac.new(key.encode(), b"stitchlake lake stamp", hashlib.sha256).hexdigest()[:16]


def _take(handle: Any, folder: Path, part: str | None) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        raise BusyError(
            f"{folder}: another process writes {'this lake' if part is None else f'its {part}'}, got {handle.read().strip() or 'a process that just started'}, "
            "expected to be the only writer. Wait for it or stop it"
        ) from None
    handle.truncate(0)
    # Without its arguments: whom somebody erases stands in them, and this file stays.
    handle.write(f"pid {os.getpid()} ({sys.argv[0]})\n")
    handle.flush()
