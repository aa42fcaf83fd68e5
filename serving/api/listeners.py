"""Who listens to decisions at /ws, and POST /api/page-tokens: the token by which a page may."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from serving.messages.request_models import PageTokenRequest
from serving.service import Service


def whom(service: Service, said: Mapping[str, str]) -> dict[str, str] | None:
    """Whom a listener means, as the lake names them: session_id, or identifier_type and token. None = nobody there could be."""
    if said.get("session_id"):
        return {"session_id": said["session_id"]}
    identifier = service.visitors.identifier(said.get("identifier_type", ""), said.get("value", ""))
    return None if identifier is None else {"identifier_type": identifier[0], "token": identifier[1]}


def listening_keys(whom: Mapping[str, str]) -> list[str]:
    """Under what a listener is found: its session, or the identifier it named.

    Not the other identifiers of its profile: whose they are is asked when something is pushed, for people log out and profiles split.
    """
    return [f"session:{whom['session_id']}" if "session_id" in whom else f"{whom['identifier_type']}:{whom['token']}"]


async def page_token(service: Service, request: PageTokenRequest) -> dict[str, Any]:
    """A token for one page: to listen to one visitor's decisions, and nothing else."""
    named = request.identifier
    said = (
        {"session_id": request.session_id or ""}
        if named is None
        else {"identifier_type": named.type, "value": named.value}
    )
    ends_at = service.clock() + timedelta(seconds=request.seconds)
    listener = whom(service, said)
    return {"token": listener and service.page_tokens.make(listener, ends_at), "expires_at": ends_at.isoformat()}
