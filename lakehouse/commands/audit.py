"""`audit verify [--head N:SEAL]`: whether the audit log, ops.audit, is as it was written."""

import json

from lakehouse.config import load
from lakehouse.errors import StitchlakeError
from lakehouse.lake.audit import Head, verify

_USAGE = "audit: got '{}', expected verify, or verify --head N:SEAL with a head that it printed before"


def main(argv: list[str]) -> int:
    """Print what is wrong, and the head: note it elsewhere, for whoever can replace all of the log can replace its own head, too.

    Raises:
        StitchlakeError: other words.
    """
    match argv:
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
