"""`audit verify [--head N:SEAL]`: whether the audit log, ops.audit, is as it was written. `audit reads PROFILE_ID`: who was told of a profile."""

import json

from lakehouse.config import load
from lakehouse.errors import StitchlakeError
from lakehouse.lake.audit import Head, verify
from lakehouse.lake.audited_reads import reads_of

_USAGE = "audit: got '{}', expected verify, or verify --head N:SEAL with a head that it printed before, or reads PROFILE_ID with the id that whois prints"


def main(argv: list[str]) -> int:
    """Print what is wrong, and the head: note it elsewhere, for whoever can replace all of the log can replace its own head, too.

    Raises:
        StitchlakeError: other words.
    """
    match argv:
        case ["reads", profile_id]:
            return _reads(profile_id)
        case ["verify"]:
            known = None
        case ["verify", "--head", text]:
            number, _, seal = text.partition(":")
            if not number.isdigit():
                raise StitchlakeError(_USAGE.format(" ".join(argv)))
            known = Head(number=int(number), seal=seal)
        case _:
            raise StitchlakeError(_USAGE.format(" ".join(argv)))
    verdict = verify(load(), known)
    for fault in verdict.faults:
        print(fault)
    print(f"head {verdict.head}")
    print(json.dumps({"command": "audit verify", "rows": verdict.head.number, "faults": len(verdict.faults)}))
    return 1 if verdict.faults else 0


def _reads(profile_id: str) -> int:
    """A line for each row of the log: from when to when, by which key."""
    rows = list(reads_of(load(), profile_id))
    for row in rows:
        told = json.loads(row["detail"])
        print(f"{told['from']}  {told['to']}  {row['by']}  {told['what']}")
    print(json.dumps({"command": "audit reads", "rows": len(rows)}))
    return 0
