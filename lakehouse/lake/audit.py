"""The audit log: rows that are only added, each sealed with the one before, and a head that says how many there are.

A seal is an HMAC with the lake's key. So whoever has no key can change, take out, put in or move no row, and not shorten the log either, without
`verify` finding it. Only the whole of an earlier log with its own head looks whole: note the head elsewhere, and hand it to `verify`.
Any process of this machine adds to it, one after the other; a lake on an object store has none.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import Schema

from lakehouse import machine
from lakehouse.config import Config
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.lock import AUDIT, is_here
from lakehouse.lake.retention import retention
from lakehouse.tables.audit import OPS_AUDIT

HEAD = "_audit_head.json"


@dataclass(frozen=True, kw_only=True)
class Head:
    """How many rows there are, and the seal of the last; () = none."""

    number: int = 0
    seal: str = ""

    def __str__(self) -> str:
        return f"{self.number}:{self.seal}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """faults: in words; () = the log is whole. head: of what is there."""

    faults: tuple[str, ...]
    head: Head


def note(config: Config, kind: str, *, by: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Add a row. `detail`: no personal data. Where there is no lake on this machine there is no log, and nothing is written."""
    with _turn(config) as folder:
        if folder is not None:
            _add(config, folder, kind, by, detail, now)


def note_read(config: Config, what: str, detail: Mapping[str, Any]) -> None:
    """Add that whoever uses this machine looked at personal data. `detail`: no personal data."""
    note(config, "read", by=machine.account(), detail={"what": what, **detail}, now=datetime.now(UTC))


def note_state(config: Config, kind: str, state: Mapping[str, Any], *, by: str, now: datetime) -> None:
    """Add a row where what holds is another than the last row of this kind says: a change is noted by whoever meets it first."""
    with _turn(config) as folder:
        if folder is None:
            return
        told = rows_of(config, kind)
        if not told or told[-1]["detail"] != _text(state):
            _add(config, folder, kind, by, state, now)


def rows_of(config: Config, kind: str) -> list[dict[str, Any]]:
    """The rows of that kind, in order."""
    folder = _folder(config)
    if folder is None or not _is_there(folder):
        return []
    told = delta_rs.rows_with(_path(folder), arrow_schema(OPS_AUDIT), "kind", pa.array([kind], pa.string())).to_pylist()
    return sorted(told, key=lambda row: int(row["number"]))


@contextmanager
def _turn(config: Config) -> Iterator[Path | None]:
    """The lake's folder, while nobody else adds to its log; None where there is no lake on this machine."""
    folder = _folder(config)
    if folder is None or not is_here(config):
        yield None
        return
    with machine.file_lock(folder / f"_lock.{AUDIT}"):
        _create(config, folder)
        yield folder


def _add(config: Config, folder: Path, kind: str, by: str, detail: Mapping[str, Any], now: datetime) -> None:
    key, last = config.privacy.hmac_key, _last(config, folder)
    told = {"number": last.number + 1, "at": now.astimezone(UTC), "kind": kind, "by": by, "detail": _text(detail)}
    head = Head(number=last.number + 1, seal=_seal(key, last.seal, told))
    row = pa.Table.from_pylist([told | {"seal": head.seal}], schema=arrow_schema(OPS_AUDIT))
    delta_rs.add(row, OPS_AUDIT, _path(folder))
    _write_head(key, folder, head)


def _text(detail: Mapping[str, Any]) -> str:
    return json.dumps(dict(detail), sort_keys=True)


def _write_head(key: str, folder: Path, head: Head) -> None:
    part = folder / f"{HEAD}.part"
    part.write_text(json.dumps({"number": head.number, "seal": head.seal, "mac": _mac(key, head)}))
    part.replace(folder / HEAD)


def verify(config: Config, known: Head | None = None) -> Verdict:
    """Look through all of it. `known`: a head that was noted elsewhere: the log must still have that row."""
    folder = _folder(config)
    rows = [] if folder is None or not _is_there(folder) else _rows(folder)
    key, before, faults = config.privacy.hmac_key, Head(), list[str]()
    for row in rows:
        expected = before.number + 1
        if row["number"] != expected:
            faults.append(
                f"row {expected}: got number {row['number']}, expected {expected}: rows were taken out, put in or moved"
            )
        if not hmac.compare_digest(_seal(key, before.seal, row), row["seal"]):
            faults.append(f"row {row['number']}: its seal does not hold: it, or what stood before it, was changed")
        before = Head(number=row["number"], seal=row["seal"])
    faults += _head_faults(key, None if folder is None else folder / HEAD, rows)
    if known is not None and not any((row["number"], row["seal"]) == (known.number, known.seal) for row in rows):
        faults.append(
            f"head: got no row {known.number} with the seal that was noted, expected it: the log is another one, or an earlier one"
        )
    return Verdict(faults=tuple(faults), head=before)


def _folder(config: Config) -> Path | None:
    """The lake's, where delta-rs can write it."""
    folder = machine.local_folder(config.lake.root)
    return None if folder is None or "%" in str(folder) else folder


def _head_faults(key: str, path: Path | None, rows: list[dict[str, Any]]) -> Iterator[str]:
    if path is None or not path.is_file():
        if rows:
            yield f"{HEAD}: is gone, got {len(rows)} rows, expected it beside them"
        return
    head = _head(key, path)
    if head is None:
        yield f"{HEAD}: was changed, expected the one that was written with the last row"
    elif head.number and not any((row["number"], row["seal"]) == (head.number, head.seal) for row in rows):
        yield f"{HEAD}: says {head.number} rows, got {len(rows)}: the end was cut off, or its row changed"


def _head(key: str, path: Path) -> Head | None:
    """As it was written; None = it is not there, or not ours."""
    try:
        told = json.loads(path.read_text())
        head = Head(number=told["number"], seal=told["seal"])
        return head if hmac.compare_digest(_mac(key, head), told["mac"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seal(key: str, before: str, row: Mapping[str, Any]) -> str:
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    told = json.dumps([before, row["number"], at, row["kind"], row["by"], row["detail"]])
    return hmac.digest(key.encode(), f"audit row {told}".encode(), hashlib.sha256).hex()


def _mac(key: str, head: Head) -> str:
    return hmac.digest(key.encode(), f"audit head {head}".encode(), hashlib.sha256).hex()


def _last(config: Config, folder: Path) -> Head:
    """Where the log goes on: behind its head, and behind the row that was added as somebody died. So a cut end stays a gap, whatever is added to it.

    A log that has lost its head goes on with a seal that does not hold: nobody can tell any more how long it was.
    """
    newest = delta_rs.newest_rows(_path(folder), arrow_schema(OPS_AUDIT), "number").to_pylist()
    last = Head(number=newest[0]["number"], seal=newest[0]["seal"]) if newest else Head()
    # Before the first row: from then on a log without a head has lost it.
    if not newest and not (folder / HEAD).is_file():
        _write_head(config.privacy.hmac_key, folder, last)
    head = _head(config.privacy.hmac_key, folder / HEAD)
    if head is None:
        return Head(number=last.number)
    return last if last.number > head.number else head


def _rows(folder: Path) -> list[dict[str, Any]]:
    found = [row for batch in delta_rs.batches(_path(folder), arrow_schema(OPS_AUDIT)) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: row["number"])


def _create(config: Config, folder: Path) -> None:
    if not _is_there(folder):
        schema = str(Schema.from_arrow(arrow_schema(OPS_AUDIT)).to_json())
        properties = retention(config.lake, is_here=True).properties
        delta_rs.create(_path(folder), schema, description=OPS_AUDIT.grain, properties=properties)


def _is_there(folder: Path) -> bool:
    return Path(_path(folder), "_delta_log").is_dir()


def _path(folder: Path) -> str:
    return f"{folder}/{OPS_AUDIT.name.replace('.', '/')}"
