"""/unsubscribe/<link>: whoever got a letter asks for no more, without a login. GET asks, POST does it.

A mail program posts by one click, without a page (RFC 8058); programs that fetch every link of a letter change nothing (its section 1).
"""

from fastapi.responses import HTMLResponse

from lakehouse.actions.unsubscribe_links import UnsubscribeLinks
from serving.api.outcomes import Unavailable
from serving.api.suppressions import suppress
from serving.messages.request_models import Identifier, SuppressionRequest
from serving.service import Service

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # the link is whoever's it is; of no-referrer a form's Origin is null, and refused
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
}
_FORM = """<p>Shall we stop writing to you?</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Yes, stop</button></form>"""
_DONE = "<p>We will not write to you any more.</p>"
_UNKNOWN = "<p>This link is not one of ours, or not whole. Copy all of it from the letter.</p>"
_AWAY = "<p>We could not keep that just now. Please try again in a minute.</p>"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Letters</title>
<body style="font-family: sans-serif; max-width: 36em; margin: 4em auto">
{}
</body></html>"""


def ask(links: UnsubscribeLinks | None, token: str) -> HTMLResponse:
    """The page that asks; nothing is changed by it."""
    return _page(200, _FORM) if _email(links, token) is not None else _page(404, _UNKNOWN)


async def unsubscribe(service: Service, links: UnsubscribeLinks | None, token: str) -> HTMLResponse:
    """Leave the address alone that the letter went to: a suppression like any other, answered when it is kept."""
    email = _email(links, token)
    if email is None:
        return _page(404, _UNKNOWN)
    try:
        await suppress(service, SuppressionRequest(identifier=Identifier(type="email", value=email)))
    except Unavailable:
        return _page(503, _AWAY, **{"retry-after": "1"})
    return _page(200, _DONE)


def _email(links: UnsubscribeLinks | None, token: str) -> str | None:
    return None if links is None else links.email(token)


def _page(status: int, text: str, **headers: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(text), status, _HEADERS | headers)
