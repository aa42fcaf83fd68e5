"""POST /webhooks/<source>: a record that a shop sends by itself, to the topic that is bound to its source, as it came.

The body is kept byte for byte and read by nobody here: the mapping reads it in the one parse, like any record of that topic. A sender tries
again what was not answered in time, and what it sends twice is one event there, for the mapping gives both one id.
"""

from ipaddress import ip_address

from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.api.json_responses import answer, fault
from serving.api.kept_in_kafka import not_kept
from serving.api.openapi import Answers, faults, json_text
from serving.kafka.record_frames import Record
from serving.messages import answer_models
from serving.messages.limits import Scope, header
from serving.messages.webhook_signature import Unsigned, verify
from serving.service import Service
from serving.state.webhook_doors import WebhookDoor

PATH = "/webhooks/"
_NOT_SIGNED, _UNKNOWN, _OTHER, _AWAY = 401, 404, 422, 503
_OF_A_PROXY = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


def take_webhooks(app: FastAPI, service: Service) -> None:
    """Add the route to the application."""
    answers: Answers = {200: {"model": answer_models.WebhookAnswer}, **faults(400, 404, 413, 415, 422, 503)}

    @app.post("/webhooks/{source}", responses=answers, **json_text({"type": "object"}))
    async def webhook(source: str, request: Request) -> Response:
        """A record of a source whose file declares `webhook`, signed as that says. Answered once Kafka has acknowledged it, or the spool has it."""
        with service.span("webhook", source=source[:64]):
            return await taken(service, source, request.scope, await request.body())


async def taken(service: Service, source: str, scope: Scope, body: bytes) -> Response:
    """Keep one record in Kafka, or say why not. `scope`: of the request."""
    door = service.webhooks.get(source)
    if door is None:
        detail = "webhooks: no such source here, expected one that declares webhook and has a topic in kafka.sources"
        return fault(_UNKNOWN, f"{detail}. See docs/how-to/connect-a-source.md")
    if (ping := door.declared.ping) is not None and body.startswith(ping.encode()):
        return answer({"success": True, "acknowledged": 0})
    refusal = _refusal(service, source, door, scope, body)
    if refusal is not None:
        return refusal
    kept = tuple((name, value) for name in door.declared.headers if (value := _header(scope, name)) is not None)
    not_there = await not_kept(service, [Record(door.topic, None, body, kept)])
    return not_there or answer({"success": True, "acknowledged": 1})


def _refusal(service: Service, source: str, door: WebhookDoor, scope: Scope, body: bytes) -> Response | None:
    """Why a record is not one of the source; None = it is."""
    if door.is_closed:
        detail = f"webhooks: no secret of source '{source}' is set here, expected one of its file. Set it, and start the service again"
        return fault(_AWAY, detail, **{"retry-after": "60"})
    if (signature := door.declared.signature) is None:
        if not _is_of_this_machine(scope):
            detail = (
                f"webhooks: source '{source}' is not signed, expected a caller on this machine. Declare its signature"
            )
            return fault(_NOT_SIGNED, detail)
    else:
        try:
            verify(signature, door.secrets, _header(scope, signature.header), body, service.clock())
        except Unsigned as unsigned:
            return fault(_NOT_SIGNED, str(unsigned))
    for name, pattern in door.declared.takes.items():
        said = (_header(scope, name) or b"").decode("latin-1")
        if said != pattern and not (pattern.endswith("*") and said.startswith(pattern[:-1])):
            detail = f"{name}: got {said[:60]!a}, expected {pattern}. Send it to the source it belongs to"
            return fault(_OTHER, detail)
    return None


def _header(scope: Scope, name: str) -> bytes | None:
    return header(scope, name.lower().encode())


def _is_of_this_machine(scope: Scope) -> bool:
    """Called from here, and not handed on by a proxy that stands here: who called that is somebody else."""
    client = scope.get("client")
    if client is None or any(header(scope, name) is not None for name in _OF_A_PROXY):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False
