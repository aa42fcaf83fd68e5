"""`key NAME SCOPE...`: a new key for a caller of the service, and what to declare so that it is valid."""

from datetime import UTC, datetime

from lakehouse.config import load
from lakehouse.config.keys import SCOPES, is_declared, make
from lakehouse.errors import StitchlakeError
from lakehouse.lake import audit
from lakehouse.machine import account


def main(argv: list[str]) -> None:
    """Print the key, once, and its entry in `serving.keys`. Nothing is stored but that it was made, in the audit log.

    Raises:
        StitchlakeError: no name, no scope, or one there is not.
    """
    name, scopes = argv[0] if argv else "", argv[1:]
    text, key = make(name, scopes)
    if not scopes or not set(scopes) <= set(SCOPES) or not is_declared(key.declared):
        raise StitchlakeError(
            f"key: got '{' '.join(argv)}', expected a name in small letters and one or more scopes of {', '.join(SCOPES)}. "
            "For example: ./spark-submit.sh key shop-web ingest"
        )
    audit.note(load(), "key", by=account(), detail={"name": name, "scopes": scopes}, now=datetime.now(UTC))
    print(f"the key, shown this once:  {text}")
    print(f"its entry of serving.keys: {key.declared}")
