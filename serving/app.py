"""The routes of the decision service: HTTP and WebSocket in, what the modules beside answer out."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from lakehouse.actions.unsubscribe_links import links_of
from lakehouse.config.keys import SCOPES as KEY_SCOPES
from lakehouse.errors import BusyError
from serving.api import (
    availability,
    listeners,
    mail_feedback,
    outcomes,
    readiness,
    service_status,
    suppressions,
    unsubscribe,
    visitor_profile,
)
from serving.api.access_control import BY, WHOM, guard
from serving.api.collector_routes import SPELT, collect
from serving.api.cross_origin import CrossOrigin
from serving.api.hosts import Hosts
from serving.api.json_responses import NOT_KEPT, Straight, answer, fault
from serving.api.openapi import Answers, document, faults, json_body, json_text
from serving.api.page_script import hand_out_script
from serving.api.reference_page import hand_out_reference
from serving.api.request_spellings import RequestSpellings
from serving.api.scopes import BARE, SCOPES
from serving.api.webhooks import PATH as WEBHOOKS
from serving.api.webhooks import take_webhooks
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
from serving.messages import answer_models, collector
from serving.messages.content_coding import Damaged, Inflated
from serving.messages.limits import WEBHOOK_BYTES, App, BodyLimit, body_of, header
from serving.messages.mail_feedback import SCHEMA
from serving.messages.request_models import (
    AvailabilityRequest,
    DecisionRequest,
    ExposureRequest,
    OutcomeRequest,
    PageTokenRequest,
    RecommendationRequest,
    SuppressionRequest,
)
from serving.messages.request_reading import TooDeep, read
from serving.service import Service
from serving.state.sockets import Listener

_PAGE = Path(__file__).with_name("page") / "page.html"
_DAMAGED, _UNKNOWN, _NOT_SO, _TOO_LARGE, _INVALID, _AWAY = 400, 404, 405, 413, 422, 503
_UNFRAMED = {"content-security-policy": "frame-ancestors 'none'"}  # it holds a key: no other page may show it in itself
R = TypeVar("R", bound=BaseModel)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(service: Service, lifespan: Lifespan) -> App:
    """The service as an ASGI application. `lifespan`: starts and stops what runs beside the requests."""
    app = FastAPI(
        title="Stitchlake decisions",
        version="1",
        description=__doc__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    _decisions(app, service)
    _facts(app, service)
    _letters(app, service)
    _state(app, service)
    collect(app, service)
    hand_out_script(app, service.config.events.dedupe_days)
    hand_out_reference(app)
    take_webhooks(app, service)
    _listen(app, service)
    document(app, SCOPES, of_keys=KEY_SCOPES)
    app.add_exception_handler(HTTPException, _no_route)
    direct = guard(app.routes, service, SPELT)
    limited = BodyLimit(Straight(app, direct), most_bytes=collector.BATCH_BYTES, of_path={WEBHOOKS: WEBHOOK_BYTES})
    serving = service.config.serving
    crossed = CrossOrigin(limited, serving.origins, serving.public_url)
    return Hosts(RequestSpellings(crossed, BARE), serving.hosts, serving.public_url)


def _decisions(app: FastAPI, service: Service) -> None:
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

    @app.post("/api/exposures", **json_body(ExposureRequest, answer_models.ExposureAnswer, 404, 503))
    async def exposures(request: Request) -> Response:
        """A decision was shown: it counts for caps and experiments, once."""
        return await _answered(service, request, ExposureRequest, outcomes.expose)

    @app.post("/api/outcomes", **json_body(OutcomeRequest, answer_models.OutcomeAnswer, 404, 503))
    async def outcome(request: Request) -> Response:
        """What came of a decision: experiments and policies learn from it, once."""
        return await _answered(service, request, OutcomeRequest, outcomes.record)

    @app.post("/api/page-tokens", **json_body(PageTokenRequest, answer_models.PageTokenAnswer))
    async def page_token(request: Request) -> Response:
        """A short-lived token with which a page listens to one visitor's decisions: `/ws?token=`. Pages never hold a key."""
        return await _answered(service, request, PageTokenRequest, listeners.page_token)


def _facts(app: FastAPI, service: Service) -> None:
    @app.get(
        "/api/profiles/{identifier_type}/{value:path}",
        responses={
            200: {"model": answer_models.ProfileAnswer},
            304: {"description": "as `if-none-match`"},
            **faults(404, 503),
        },
    )
    async def profile(identifier_type: str, value: str, request: Request) -> Response:
        """What is known of a person, without personal data. `ETag` changes with anything of it. Who asked, and for whom, is in the audit log within a minute."""
        profile_document = await visitor_profile.profile(service, identifier_type, value)
        try:
            service.reads.note(request.scope[BY], profile_document["profile_id"], service.clock())
        except BusyError as error:
            return fault(_AWAY, str(error))
        etag = f'"{hashlib.sha256(orjson.dumps(profile_document, default=str)).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag and not profile_document["degraded"]:
            return Response(status_code=304, headers={"etag": etag})
        return answer(profile_document, 200, etag=etag, **{"cache-control": "private, no-cache"})

    @app.post("/api/products", **json_body(AvailabilityRequest, answer_models.AvailabilityAnswer, 503))
    async def product_availability(request: Request) -> Response:
        """Products that can, or cannot, be bought from now on. Answered when it is kept for good."""
        return await _answered(service, request, AvailabilityRequest, availability.set_availability)

    @app.post("/api/suppressions", **json_body(SuppressionRequest, answer_models.SuppressionAnswer, 404, 503))
    async def suppression(request: Request) -> Response:
        """Somebody who is to be left alone, by whatever identifier they are known, or is not any more. Answered when it is kept for good.

        `is_suppressed` of the answer: whether they are; another of their identifiers may still be.
        """
        return await _answered(service, request, SuppressionRequest, suppressions.asked_for)

    @app.get(
        "/api/changes",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}, **faults()},
    )
    async def changes(request: Request) -> Response:
        """Server-sent events: the id and version of every profile that changes. For caches that keep what was answered.

        After `Last-Event-ID` nothing is missed; the event `resync` says that something is.
        """
        last_id = request.headers.get("last-event-id", "")
        return StreamingResponse(service.changes.stream(last_id), media_type="text/event-stream")


def _state(app: FastAPI, service: Service) -> None:
    @app.get("/api/status", responses={200: {"model": answer_models.StatusAnswer}, **faults()})
    async def status() -> Response:
        """Whether everything the service stands on is there, and what this process has done."""
        return answer(service_status.status(service))

    @app.get("/metrics", response_class=PlainTextResponse, responses=faults())
    async def metrics() -> Response:
        """What all processes have done, in Prometheus' text format."""
        service_status.take(service)
        return Response(await asyncio.to_thread(service.meters.text), headers=NOT_KEPT, media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz", responses={200: {"model": answer_models.HealthAnswer}})
    async def healthz() -> Response:
        """200 while the process runs and answers. Restart it where it does not."""
        return answer({"status": "ok"})

    @app.get("/readyz", responses={code: {"model": answer_models.ReadyAnswer} for code in (200, _AWAY)})
    async def readyz() -> Response:
        """200 when a request is answered from everything the service stands on; else 503, and what it waits for."""
        waits_for = await readiness.waits_for(service)
        return answer({"ready": not waits_for, "waits_for": waits_for}, _AWAY if waits_for else 200)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"), headers=_UNFRAMED)


def _letters(app: FastAPI, service: Service) -> None:
    links = links_of(service.config, is_private=True)

    said = {"description": "a page that says so", "content": {"text/html": {}}}
    pages: Answers = {404: said, 503: said, 429: {"description": "too often", "content": {"application/json": {}}}}

    @app.get("/unsubscribe/{token}", response_class=HTMLResponse, responses=pages)
    async def ask(token: str) -> HTMLResponse:
        """Asks whoever got a letter whether it was the last; changes nothing."""
        return unsubscribe.ask(links, token)

    @app.post("/unsubscribe/{token}", response_class=HTMLResponse, responses=pages)
    async def stop(token: str) -> HTMLResponse:
        """It was the last. A mail program posts this by one click (RFC 8058)."""
        return await unsubscribe.unsubscribe(service, links, token)

    @app.post(
        "/api/mail-feedback",
        responses={200: {"model": answer_models.FeedbackAnswer}, **faults(400, 413, 415, 422, 503)},
        **json_text(dict(SCHEMA)),
    )
    async def feedback(request: Request) -> Response:
        """Bounces and complaints as Amazon SES, SendGrid or a program of yours reports them: docs/how-to/add-a-destination.md."""
        body = await request.body()
        return await _told(mail_feedback.take_feedback(service, body))


def _listen(app: FastAPI, service: Service) -> None:
    @app.websocket("/ws")
    async def decisions(socket: WebSocket) -> None:
        """Decisions for a profile (identifier_type and value), a session (session_id) or whom a page token is for, as they are made.

        `after`: the decision_id of the last message that was received; `{"resync": true}` says that there were others since.
        """
        whom = socket.scope.get(WHOM) or listeners.whom(service, dict(socket.query_params))
        if whom is None:
            await socket.close(code=1008, reason="expected identifier_type and value, session_id, or token")
            return
        keys = listeners.listening_keys(whom)
        await socket.accept()
        listener = Listener(socket)
        service.sockets.add(listener, keys, socket.query_params.get("after"))
        try:
            await listener.run()
        finally:
            service.sockets.remove(listener, keys)


async def _answered(
    service: Service, request: Request, model: type[R], do: Callable[[Service, R], Awaitable[dict[str, Any]]]
) -> Response:
    """Read the body as `model` and do it; every refusal says where, what and why. Never a 500."""
    body = await body_of(request.receive)
    service.pressure.at_once += 1
    try:
        try:
            content_type = (header(request.scope, b"content-type") or b"").decode("latin-1")
            asked = read(model, body, content_type, collector.BATCH_BYTES)
        except ValidationError as error:
            return fault(_INVALID, _in_words(error))
        except TooDeep as deep:
            return fault(_INVALID, str(deep))
        except Damaged as damaged:
            return fault(_DAMAGED, str(damaged))
        except Inflated as inflated:
            return fault(_TOO_LARGE, str(inflated))
        return await _told(do(service, asked))
    finally:
        service.pressure.at_once -= 1


async def _told(making: Awaitable[dict[str, Any]]) -> Response:
    """The answer, or the refusal in its form."""
    try:
        return answer(await making)
    except collector.Refused as refused:
        return fault(_INVALID, str(refused))
    except outcomes.Unknown as unknown:
        return fault(_UNKNOWN, str(unknown))
    except outcomes.Unavailable as away:
        return fault(_AWAY, str(away), **{"retry-after": "1"})


async def _no_route(request: Request, error: Exception) -> Response:
    """No such path, or not by this method. OPTIONS is told by which (RFC 9110, 9.3.7)."""
    assert isinstance(error, HTTPException)
    if error.status_code == _NOT_SO and request.method == "OPTIONS":
        return Response(status_code=204, headers=error.headers)
    detail = f"address: {str(error.detail).lower()}, expected one of /docs"
    return fault(error.status_code, detail, **(error.headers or {}))


def _in_words(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in faults)
