"""The routes of the decision service: HTTP and WebSocket in, what the modules beside answer out."""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel, ValidationError

from lakehouse.actions.unsubscribe_links import links_of
from serving.api import availability, mail_feedback, outcomes, suppressions, unsubscribe, visitor_profile
from serving.api.collected import collected, pixel
from serving.api.cross_origin import CrossOrigin
from serving.api.json_responses import Straight, answer, fault
from serving.api.keys import is_write_key, may_decide, may_write, no_key
from serving.api.library_settings import rudder_source_config, segment_settings
from serving.api.openapi import document, json_body
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
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
_UNKNOWN, _INVALID, _AWAY = 404, 422, 503
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
    _letters(app, service)
    _collect(app, service)
    _listen(app, service)
    document(app)
    limited = BodyLimit(Straight(app, decisions.routes), most_bytes=collector.BATCH_BYTES)
    return CrossOrigin(limited, service.config.serving.origins, service.config.serving.public_url)


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
        if not may_decide(service, request):
            return no_key()
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
        """Somebody who is to be left alone, by whatever identifier they are known, or is not any more. Answered when it is kept for good.

        `is_suppressed` of the answer: whether they are; another of their identifiers may still be.
        """
        return await _answered(service, request, SuppressionRequest, suppressions.suppress)

    @app.get("/api/changes", response_class=StreamingResponse)
    async def changes(request: Request) -> Response:
        """Server-sent events: the id and version of every profile that changes. For caches that keep what was answered."""
        if not may_decide(service, request):
            return no_key()
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


def _letters(app: FastAPI, service: Service) -> None:
    links = links_of(service.config, is_private=True)

    @app.get("/unsubscribe/{token}", response_class=HTMLResponse)
    async def ask(token: str) -> HTMLResponse:
        """Asks whoever got a letter whether it was the last; changes nothing."""
        return unsubscribe.ask(links, token)

    @app.post("/unsubscribe/{token}", response_class=HTMLResponse)
    async def stop(token: str) -> HTMLResponse:
        """It was the last. A mail program posts this by one click (RFC 8058)."""
        return await unsubscribe.unsubscribe(service, links, token)

    @app.post(
        "/api/mail-feedback",
        responses={200: {"model": answer_models.FeedbackAnswer}, 503: {"model": answer_models.Fault}},
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}},
    )
    async def feedback(request: Request) -> Response:
        """Bounces and complaints as Amazon SES, SendGrid or a program of yours reports them: serving/messages/mail_feedback.py."""
        if not may_decide(service, request):
            return no_key()
        try:
            return answer(await mail_feedback.take_feedback(service, await request.body()))
        except collector.Refused as refused:
            return fault(_INVALID, str(refused))
        except outcomes.Unavailable as away:
            return fault(_AWAY, str(away), **{"retry-after": "1"})


def _collect(app: FastAPI, service: Service) -> None:
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": answer_models.CollectedAnswer},
        **{code: {"model": answer_models.Fault} for code in (400, 401, 413, 415, 429, 503)},
    }

    @app.get("/v1/projects/{write_key}/settings")
    async def settings(write_key: str, request: Request) -> Response:
        """Segment's libraries ask for it before they send: it points them here."""
        address = service.config.serving.public_url or str(request.base_url)
        return answer(segment_settings(write_key, address)) if is_write_key(service, write_key) else no_key()

    @app.get("/sourceConfig")
    @app.get("/sourceConfig/", include_in_schema=False)
    async def source_config(request: Request) -> Response:
        """RudderStack's libraries ask for it before they send."""
        return (
            answer(rudder_source_config(service.config.serving.write_key)) if may_write(service, request) else no_key()
        )

    @app.post("/beacon/v1/batch", responses=answers)
    async def beacon(request: Request) -> Response:
        """RudderStack's beacons: a batch, the write key in the address."""
        with service.span("collector", call="beacon"):
            return await collected(service, "batch", request, await request.body())

    @app.get("/pixel/v1/{call}", include_in_schema=False)
    @app.get("/v1/pixel/{call}", response_class=Response)
    async def image(call: str, request: Request) -> Response:
        """Segment's tracking pixel: one message in the address, for mails and pages without scripts."""
        with service.span("collector", call="pixel"):
            return await pixel(service, call, request)

    @app.post("/v1/{call}", responses=answers)
    async def collect(call: str, request: Request) -> Response:
        """Segment's HTTP API: track, identify, page, screen, group, alias, batch. Write key as user of Basic authentication."""
        with service.span("collector", call=call[:16]):
            return await collected(service, call, request, await request.body())


def _listen(app: FastAPI, service: Service) -> None:
    @app.websocket("/ws")
    async def decisions(socket: WebSocket) -> None:
        """Decisions for a profile (identifier_type and value) or a session (session_id), as they are made."""
        keys = visitor_profile.listening_keys(service, dict(socket.query_params))
        if not keys or not may_decide(service, socket):
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
    if not may_decide(service, request):
        return no_key()
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
