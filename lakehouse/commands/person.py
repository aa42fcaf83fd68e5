"""person: everything held about somebody, written down for them or erased.

./spark-submit.sh person export email jane@example.com --to jane                      person.json, and person.html to read
./spark-submit.sh person erase user_id u-17 --by ann --why "asked by letter of 3 May"  everything, wherever it is

Somebody is found whole by any identifier of theirs. Where several profiles carry it, name another, or say --every-profile.

`erase` is carried out by whoever writes the lake: by streams that run, between their micro-batches, or else by this command. What cannot be done at
once, as a destination that is to be told, waits, and is done by streams later or by the same command again. It ends with one JSON line, and with 0 when all
is done. Write no personal data into --why: it is kept as it is.
"""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse import machine
from lakehouse.catalog import TABLES
from lakehouse.config import Config, load
from lakehouse.errors import BusyError, LakeError, StitchlakeError
from lakehouse.job import json_line, run
from lakehouse.lake import audit, delta_rs
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.lake.folders import folder
from lakehouse.lake.lock import STAMP
from lakehouse.people.dossier import dossier
from lakehouse.people.erasure import Erasures
from lakehouse.people.held_back import HeldBack
from lakehouse.people.page import page
from lakehouse.people.person import identifier_of, person, profiles_with
from lakehouse.people.requests import WAITING, Request, keep, new
from lakehouse.people.silence import silence
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.queries.declarations import declarations
from lakehouse.queries.events import new_micro_batch
from lakehouse.spark.opened_lake import opened
from lakehouse.spark.session import get_session
from lakehouse.tables.erasures import OPS_ERASURES

PATIENCE_SECONDS = 900.0  # for streams to carry it out


def erase(config: Config, asked: Request) -> dict[str, Any]:
    """Leave the request, and have it carried out. The receipt: a row of ops.erasures.

    Raises:
        LakeError: no lake on this machine.
        StoreError: whoever it is cannot be left alone from now on. Nothing is asked for then.
        BusyError: streams run, and have not come to it.
    """
    root = _lake_here(config)
    silence(config, asked, [asked.identifier])
    keep(folder(root, WAITING, None), asked)
    audit.note(config, "erasure_asked", by=asked.by, detail={"erasure_id": asked.erasure_id}, now=asked.at)
    try:
        with opened(config, "person") as lake:
            carry_out(lake)
    except BusyError as error:
        if not machine.wait_until(lambda: _receipt(root, asked) is not None, PATIENCE_SECONDS):
            raise BusyError(
                f"person erase: {error}; got no receipt within {PATIENCE_SECONDS:g} s. It stays asked for: the streams carry it out"
            ) from None
        _await_end(root, asked)
    told = _receipt(root, asked)
    assert told is not None, "whoever carried it out has written a receipt"
    return told


def carry_out(lake: Lake) -> None:
    """Every erasure that is asked for, where no stream runs."""
    lake.create_missing(TABLES.values())
    declared, micro_batch = declarations(lake.config), new_micro_batch(lake)
    micro_batch.catch_up()  # what a crash may have left
    Erasures(lake, micro_batch, HeldBack(lake, declared), declared, clock=utc_now).carry_out()


def export(lake: Lake, type_: str, value: str, to: Path, *, every: bool, now: datetime) -> int:
    """Write person.json and person.html into a folder that is made; how many rows.

    Raises:
        StitchlakeError: nobody is known by it, several are, or the folder is there already.
    """
    identifier = identifier_of(lake.config, type_, value)
    profiles = profiles_with(lake, identifier)
    if not profiles:
        raise StitchlakeError(f"person {type_}: never seen, got a value no profile carries. Check spelling and type")
    if len(profiles) > 1 and not every:
        raise StitchlakeError(
            f"person {type_}: got an identifier of {len(profiles)} profiles, expected one. Name one that is theirs alone, or say --every-profile"
        )
    told = dossier(lake, person(lake, identifier, profiles), declarations(lake.config), now=now)
    try:
        to.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise StitchlakeError(f"person export: --to: got '{to}', which is there, expected a folder to make") from None
    _write(to / "person.json", json.dumps(told, ensure_ascii=False, indent=1))
    _write(to / "person.html", page(told))
    return sum(len(table["rows"]) for table in told["tables"].values())


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


def _lake_here(config: Config) -> str:
    here = machine.local_folder(config.lake.root)
    if here is None or not (here / STAMP).is_file():
        raise LakeError(
            f"{config.lake.root}: got no lake on this machine, expected one that streaming has filled. Set STITCHLAKE__LAKE__ROOT"
        )
    return str(here)


def _receipt(root: str, asked: Request) -> dict[str, Any] | None:
    path = f"{root}/{OPS_ERASURES.name.replace('.', '/')}"
    if not Path(path, "_delta_log").is_dir():
        return None
    rows = [row for batch in delta_rs.batches(path, arrow_schema(OPS_ERASURES)) for row in batch.to_pylist()]
    return next((row for row in rows if row["erasure_id"] == asked.erasure_id), None)


def _await_end(root: str, asked: Request) -> None:
    """Until it is done, or was tried once and waits for somebody else."""
    place, began = folder(root, WAITING, None), time.monotonic()
    while asked.file in place.names() and time.monotonic() - began < PATIENCE_SECONDS:
        told = _receipt(root, asked)
        if told is not None and told["detail"] not in (None, "it was begun"):
            return
        time.sleep(machine.POLL_SECONDS)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="person", add_help=False, exit_on_error=False)
    parser.add_argument("act", choices=("export", "erase"))
    parser.add_argument("type")
    parser.add_argument("value")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--by", default="")
    parser.add_argument("--why", default="")
    parser.add_argument("--every-profile", action="store_true")
    try:
        told, unknown = parser.parse_known_args(argv)
    except (argparse.ArgumentError, SystemExit):
        raise StitchlakeError(
            "person: expected export|erase <identifier type> <value>, and --to FOLDER or --by WHO --why TEXT. See ./spark-submit.sh help"
        ) from None
    if unknown:
        raise StitchlakeError(
            f"person: got '{unknown[0]}', expected --to, --by, --why or --every-profile. Leave it out"
        )
    if told.act == "export" and told.to is None:
        raise StitchlakeError("person export: --to missing, expected a folder to make. Say --to FOLDER")
    if told.act == "erase" and not (told.by.strip() and told.why.strip()):
        raise StitchlakeError("person erase: --by or --why missing, expected --by WHO --why TEXT: the receipt has both")
    return told


def main(argv: list[str]) -> int:
    told = _arguments(argv)
    config, now = load(), datetime.now(UTC)
    if told.act == "export":
        lake = Lake(get_session(config, "person"), config)
        count = export(lake, told.type, told.value, told.to, every=told.every_profile, now=now)
        audit.note_read(config, "person export", {"identifier_type": told.type, "rows": count})
        print(json_line({"command": "person export", "rows": count, "folder": str(told.to)}))
        return 0
    identifier = identifier_of(config, told.type, told.value)
    asked = new(identifier, by=told.by.strip(), reason=told.why.strip(), at=now, every=told.every_profile)
    receipt = erase(config, asked)
    print(
        f"erasure {receipt['erasure_id']}: {receipt['outcome']}{': ' + receipt['detail'] if receipt['detail'] else ''}"
    )
    counts = {name: count for name, count in json.loads(receipt["counts"]).items() if count}
    print(json_line({"command": "person erase", "outcome": receipt["outcome"], "rows": counts}))
    return 0 if receipt["outcome"] == "erased" else 1


if __name__ == "__main__":
    run(main)
