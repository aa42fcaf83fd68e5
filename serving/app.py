"""The routes of the decision service: HTTP and WebSocket in, what the modules beside answer out."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel, ValidationError

from serving.api import availability, outcomes, visitor_profile
from serving.api.json_responses import Straight, answer, fault
from serving.api.openapi import document, json_body
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
from serving.deciding.request_context import count_events
from serving.kafka.producer import Overloaded, acknowledged
from serving.messages import answer_models, collector
from serving.messages.limits import App, BodyLimit, is_too_deep
from serving.messages.request_models import (
    AvailabilityRequest,
    DecisionRequest,
    ExposureRequest,
    OutcomeRequest,
    RecommendationRequest,
    SuppressionRequest,
)
from serving.service import Service
from serving.state.sockets import Listener

_PAGE = Path(__file__).with_name("page") / "page.html"
_MOST_DEPTH = 32
_REFUSED, _NO_KEY, _UNKNOWN, _INVALID, _BUSY, _AWAY = 400, 401, 404, 422, 429, 503
R = TypeVar("R", bound=BaseModel)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(service: Service, lifespan: Lifespan) -> App:
    """The service as an ASGI application. `lifespan`: starts and stops what runs beside the requests."""
    app = FastAPI(
        title="Stitchlake decisions",
        version="1",
        description=__doc__,
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
    )
    decisions = APIRouter()
    _decisions(decisions, service)
    app.include_router(decisions)
    _facts(app, service)
    _collect(app, service)
    _listen(app, service)
    document(app)
    return BodyLimit(Straight(app, decisions.routes), most_bytes=collector.BATCH_BYTES)


def _decisions(app: APIRouter, service: Service) -> None:
    @app.post(
        "/api/personalized-recommendations", **json_body(RecommendationRequest, answer_models.RecommendationAnswer)
    )
    async def personalized_recommendations(request: Request) -> Response:
        """Products for somebody, here and now, best first, with the reason for each."""
        with service.span("decision", kind="products"):
            return await _answered(service, request, RecommendationRequest, recommendations)

    @app.post("/api/decide", **json_body(DecisionRequest, answer_models.DecisionAnswer))
    async def decide(request: Request) -> Response:
        """The next best action for somebody, here and now, among the offers of the catalogue."""
        with service.span("decision", kind="offer"):
            return await _answered(service, request, DecisionRequest, next_best_action)

    @app.post("/api/exposures", **json_body(ExposureRequest, answer_models.ExposureAnswer))
    async def exposures(request: Request) -> Response:
        """A decision was shown: it counts for caps and experiments, once."""
        return await _answered(service, request, ExposureRequest, outcomes.expose)

    @app.post("/api/outcomes", **json_body(OutcomeRequest, answer_models.OutcomeAnswer))
    async def outcome(request: Request) -> Response:
        """What came of a decision: experiments and policies learn from it, once."""
        return await _answered(service, request, OutcomeRequest, outcomes.record)


def _facts(app: FastAPI, service: Service) -> None:
    @app.get("/api/profiles/{identifier_type}/{value:path}", responses={200: {"model": answer_models.ProfileAnswer}})
    async def profile(identifier_type: str, value: str, request: Request) -> Response:
        """What is known of a person, without personal data. `ETag` changes with anything of it."""
        if not _may(service, request):
            return _no_key()
        profile_document = await visitor_profile.profile(service, identifier_type, value)
        etag = f'"{hashlib.sha256(orjson.dumps(profile_document, default=str)).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag and not profile_document["degraded"]:
            return Response(status_code=304, headers={"etag": etag})
        return answer(profile_document, 200, etag=etag, **{"cache-control": "private, no-cache"})

    @app.post("/api/products", **json_body(AvailabilityRequest, answer_models.AvailabilityAnswer))
    async def product_availability(request: Request) -> Response:
        """Products that can, or cannot, be bought from now on."""
        return await _answered(service, request, AvailabilityRequest, availability.set_availability)

    @app.post("/api/suppressions", **json_body(SuppressionRequest, answer_models.SuppressionAnswer))
    async def suppression(request: Request) -> Response:
        """Somebody about whom nothing is decided any more, or is again."""
        return await _answered(service, request, SuppressionRequest, visitor_profile.suppress)

    @app.get("/api/changes", response_class=StreamingResponse)
    async def changes(request: Request) -> Response:
        """Server-sent events: the id and version of every profile that changes. For caches that keep what was answered."""
        if not _may(service, request):
            return _no_key()
        return StreamingResponse(service.changes.stream(), media_type="text/event-stream")

    @app.get("/api/status")
    async def status() -> Response:
        """Whether everything the service stands on is there, and what it has done."""
        return answer(visitor_profile.status(service))

    @app.get("/healthz")
    async def healthz() -> Response:
        """200 as soon as the service answer_models."""
        return answer({"status": "ok"})

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"))


def _collect(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/{call}", responses={200: {"model": answer_models.CollectedAnswer}, 400: {"model": answer_models.Fault}}
    )
    async def collect(call: str, request: Request) -> Response:
        """Segment's HTTP API: track, identify, page, screen, group, alias, batch. Write key as user of Basic authentication."""
        with service.span("collector", call=call[:16]):
            return await _collected(service, call, request)


async def _collected(service: Service, call: str, request: Request) -> Response:
    if call not in collector.CALLS and call not in ("batch", "import", "b"):
        return fault(_UNKNOWN, f"/v1/{call[:32]}: no such call, expected batch or one of {', '.join(collector.CALLS)}")
    body = await request.body()
    now = service.clock()
    try:
        document_ = collector.read(body, most_depth=_MOST_DEPTH)
        if not _may_write(service, request, document_):
            return _no_key()
        records = [collector.one(call, document_, now)] if call in collector.CALLS else collector.batch(document_, now)
    except collector.Refused as refused:
        return fault(_REFUSED, str(refused))
    topic = service.config.kafka.events_topic
    try:
        sent = [service.out.send(topic, record.key, record.value) for record in records]
    except Overloaded as busy:
        return fault(_BUSY, str(busy), **{"retry-after": "1"})
    count_events(service, [record.event for record in records], now)
    taken = await acknowledged(sent, visitor_profile.PATIENCE_SECONDS)
    if taken < len(records):
        detail = f"kafka: {len(records) - taken} of {len(records)} events not acknowledged. Send the request again"
        return fault(_AWAY, detail, **{"retry-after": "1"})
    return answer({"success": True, "acknowledged": taken})


def _listen(app: FastAPI, service: Service) -> None:
    @app.websocket("/ws")
    async def decisions(socket: WebSocket) -> None:
        """Decisions for a profile (identifier_type and value) or a session (session_id), as they are made."""
        keys = await visitor_profile.listening_keys(service, dict(socket.query_params))
        if not keys or not _may(service, socket):
            await socket.close(
                code=1008, reason="expected identifier_type and value, or session_id, and a key if one is set"
            )
            return
        await socket.accept()
        listener = Listener(socket)
        service.sockets.add(listener, keys)
        try:
            await listener.run()
        finally:
            service.sockets.remove(listener, keys)


async def _answered(
    service: Service, request: Request, model: type[R], do: Callable[[Service, R], Awaitable[dict[str, Any]]]
) -> Response:
    """Read the body as `model` and do it; every refusal says where, what and why. Never a 500."""
    if not _may(service, request):
        return _no_key()
    body = await request.body()
    service.pressure.at_once += 1
    try:
        if is_too_deep(body, _MOST_DEPTH):
            return fault(_INVALID, f"body: more than {_MOST_DEPTH} levels of nesting, expected at most that many")
        return answer(await do(service, model.model_validate_json(body)))
    except ValidationError as error:
        return fault(_INVALID, _in_words(error))
    except collector.Refused as refused:
        return fault(_INVALID, str(refused))
    except outcomes.Unknown as unknown:
        return fault(_UNKNOWN, str(unknown))
    except outcomes.Unavailable as away:
        return fault(_AWAY, str(away), **{"retry-after": "1"})
    finally:
        service.pressure.at_once -= 1


def _in_words(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in faults)


def _may(service: Service, request: Request | WebSocket) -> bool:
    key = service.config.serving.api_key
    if not key:
        return True
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    given = given or request.query_params.get("key", "")  # a WebSocket of a page can send no header
    return hmac.compare_digest(given.encode(), key.encode())


def _may_write(service: Service, request: Request, document_: dict[str, Any]) -> bool:
    """The write key as user of Basic authentication, or as `writeKey` in the body: Segment's two ways."""
    key = service.config.serving.write_key
    given = document_.get("writeKey") if isinstance(document_.get("writeKey"), str) else ""
    kind, _, credentials = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    return bool(key) and hmac.compare_digest(str(given).encode(), key.encode())


def _no_key() -> Response:
    return fault(
        _NO_KEY,
        "authorization: no key, or another one, expected the key of this service",
        **{"www-authenticate": "Basic"},
    )
