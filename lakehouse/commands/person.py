"""person: everything held about somebody, written down for them or erased; and the models that learned from whom was erased.

./spark-submit.sh person export email jane@example.com --to jane                      person.json, and person.html to read
./spark-submit.sh person erase user_id u-17 --by ann --why "asked by letter of 3 May"  everything, wherever it is
./spark-submit.sh person models [ERASURE_ID]                                           models that learned from whom was erased, until when

Somebody is found whole by any identifier of theirs. Where several profiles carry it, name another, or say --every-profile.

`erase` is carried out by whoever writes the lake: by streams that run, between their micro-batches, or else by this command. What cannot be done at
once, as a destination that is to be told, waits, and is done by streams later or by the same command again. It ends with one JSON line, and with 0 when all
is done. Write no personal data into --why: it is kept as it is.
"""

import argparse
import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse import machine
from lakehouse.catalog import TABLES
from lakehouse.commands.schedule import declared
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
from lakehouse.people.learned import Learned, learned
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

_USAGE = (
    "person: expected export|erase <identifier type> <value>, and --to FOLDER or --by WHO --why TEXT; or models [ERASURE_ID]. "
    "See ./spark-submit.sh help"
)
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


def models(config: Config, erasure_id: str | None, now: datetime) -> list[Learned]:
    """The versions that learned from whoever that erasure, or any, was of. Raises LakeError, ModelError, StitchlakeError: no such erasure."""
    receipts = _receipts(_lake_here(config))
    if erasure_id is not None and erasure_id not in {one["erasure_id"] for one in receipts}:
        raise StitchlakeError(f"person models: got no erasure '{erasure_id}', expected an erasure_id of ops.erasures")
    asked = [one for one in receipts if erasure_id in (None, one["erasure_id"])]
    return learned(config, asked, declared(), now)


def _tell(found: list[Learned]) -> None:
    """A line for each that speaks, or may soon; one for all that are only kept."""
    for one in found:
        if one.aliases:
            print(one.line())
    kept = Counter(one.model for one in found if not one.aliases)
    if kept:
        print(f"kept, and for nobody to promote: {', '.join(f'{n} of {model}' for model, n in sorted(kept.items()))}")


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
    return next((row for row in _receipts(root) if row["erasure_id"] == asked.erasure_id), None)


def _receipts(root: str) -> list[dict[str, Any]]:
    path = f"{root}/{OPS_ERASURES.name.replace('.', '/')}"
    if not Path(path, "_delta_log").is_dir():
        return []
    return [row for batch in delta_rs.batches(path, arrow_schema(OPS_ERASURES)) for row in batch.to_pylist()]


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
    parser.add_argument("act", choices=("export", "erase", "models"))
    parser.add_argument("type", nargs="?")
    parser.add_argument("value", nargs="?")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--by", default="")
    parser.add_argument("--why", default="")
    parser.add_argument("--every-profile", action="store_true")
    try:
        told, unknown = parser.parse_known_args(argv)
    except (argparse.ArgumentError, SystemExit):
        raise StitchlakeError(_USAGE) from None
    if told.act != "models" and told.value is None:
        raise StitchlakeError(_USAGE)
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
    match told.act:
        case "models":
            _tell_models(config, told.type, now)
            return 0
        case "export":
            return _export(config, told, now)
        case _:
            return _erase(config, told, now)


def _tell_models(config: Config, erasure_id: str | None, now: datetime) -> None:
    found = models(config, erasure_id, now)
    _tell(found)
    print(json_line({"command": "person models", "models": [one.told() for one in found]}))


def _export(config: Config, told: argparse.Namespace, now: datetime) -> int:
    lake = Lake(get_session(config, "person"), config)
    count = export(lake, told.type, told.value, told.to, every=told.every_profile, now=now)
    audit.note_read(config, "person export", {"identifier_type": told.type, "rows": count})
    print(json_line({"command": "person export", "rows": count, "folder": str(told.to)}))
    return 0


def _erase(config: Config, told: argparse.Namespace, now: datetime) -> int:
    identifier = identifier_of(config, told.type, told.value)
    asked = new(identifier, by=told.by.strip(), reason=told.why.strip(), at=now, every=told.every_profile)
    receipt = erase(config, asked)
    print(
        f"erasure {receipt['erasure_id']}: {receipt['outcome']}{': ' + receipt['detail'] if receipt['detail'] else ''}"
    )
    found: list[Learned] = []
    try:
        found = models(config, receipt["erasure_id"], now)
    except StitchlakeError as error:  # the erasure is done all the same
        print(error)
    _tell(found)
    counts = {name: count for name, count in json.loads(receipt["counts"]).items() if count}
    of_models = [one.told() for one in found]
    print(json_line({"command": "person erase", "outcome": receipt["outcome"], "rows": counts, "models": of_models}))
    return 0 if receipt["outcome"] == "erased" else 1


if __name__ == "__main__":
    run(main)
