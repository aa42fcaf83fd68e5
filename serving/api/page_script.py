"""GET /stitchlake.js: the library of web pages, small as it is served. See docs/how-to/connect-a-library.md."""

import gzip
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

_SCRIPT = Path(__file__).parents[1] / "page" / "stitchlake.js"
_MEDIA_TYPE = "text/javascript; charset=utf-8"
_HEADERS = {
    "cache-control": "public, max-age=3600",
    "cross-origin-resource-policy": "cross-origin",  # any page may load it; whose calls are taken is asked when they come
    "vary": "accept-encoding",
}


def hand_out_script(app: FastAPI, dedupe_days: int) -> None:
    """Add the route to the application. `dedupe_days`: for which the lake knows a repeat by its id."""
    plain = compact(_SCRIPT.read_text(encoding="utf-8").replace("DEDUPE_DAYS", str(dedupe_days)))
    packed = gzip.compress(plain, mtime=0)

    @app.get(
        "/stitchlake.js",
        response_class=Response,
        responses={200: {"description": "the script", "content": {"text/javascript": {}}}},
    )
    async def script(request: Request) -> Response:
        """The library for web pages: page, track, identify, consent; keeps calls while the browser is offline."""
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, headers={**_HEADERS, "content-encoding": "gzip"}, media_type=_MEDIA_TYPE)
        return Response(plain, headers=_HEADERS, media_type=_MEDIA_TYPE)


def compact(text: str) -> bytes:
    """A script without its comments and indentation. No text in it may span lines or hold ` // `."""
    lines = (line.partition(" // ")[0].strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")).encode()
