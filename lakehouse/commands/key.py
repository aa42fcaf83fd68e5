"""`key NAME SCOPE...`: a new key for a caller of the service, and what to declare so that it is valid."""

from lakehouse.config.keys import SCOPES, is_declared, make
from lakehouse.errors import StitchlakeError


def main(argv: list[str]) -> None:
    """Print the key, once, and its entry in `serving.keys`. Nothing is stored.

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
    print(f"the key, shown this once:  {text}")
    print(f"its entry of serving.keys: {key.declared}")
