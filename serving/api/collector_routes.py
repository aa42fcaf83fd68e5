"""The routes of the collector: Segment's and RudderStack's HTTP APIs. Each asks for the write key itself: it may be in the body."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from serving.api.collected import collected, pixel
from serving.api.json_responses import answer
from serving.api.keys import INGEST, given_key, may_not_write, refused
from serving.api.library_settings import rudder_source_config, segment_settings
from serving.api.openapi import Answers, faults, json_text
from serving.messages import answer_models, collector
from serving.service import Service

_MESSAGE = json_text({"type": "object"})
_BATCH = json_text(
    {
        "type": "object",
        "required": ["batch"],
        "properties": {"batch": {"type": "array", "items": {"type": "object"}, "maxItems": collector.MOST_IN_BATCH}},
    }
)
# The framework looks for a name in a path at every request; these are all there are.
SPELT = {"/v1/{call}": {f"/v1/{call}": call for call in (*collector.CALLS, *collector.BATCHES)}}
_IMAGE = {"description": "a transparent image", "content": {"image/gif": {}}}
_IMAGES: Answers = dict.fromkeys((200, 400, 401, 403, 404, 429, 503), _IMAGE)


def collect(app: FastAPI, service: Service) -> None:
    """Add them to the application."""
    answers: Answers = {200: {"model": answer_models.CollectedAnswer}, **faults(400, 413, 415, 503)}

    @app.get("/v1/projects/{write_key}/settings", responses=faults())
    async def settings(write_key: str, request: Request) -> Response:
        """Segment's libraries ask for it before they send: it points them here."""
        if (no := refused(service, INGEST, write_key)) is not None:
            return no
        address = service.config.serving.public_url or str(request.base_url)
        return answer(segment_settings(write_key, address))

    @app.get("/sourceConfig", responses=faults())
    async def source_config(request: Request) -> Response:
        """RudderStack's libraries ask for it before they send."""
        if (no := may_not_write(service, request)) is not None:
            return no
        return answer(rudder_source_config(given_key(request.scope) or request.query_params.get("writeKey", "")))

    @app.post("/beacon/v1/batch", responses=answers, **_BATCH)
    async def beacon(request: Request) -> Response:
        """RudderStack's beacons: a batch, the write key in the address."""
        with service.span("collector", call="beacon"):
            return await collected(service, "batch", request, await request.body())

    @app.get("/pixel/v1/{call}", include_in_schema=False)
    @app.get("/v1/pixel/{call}", response_class=Response, responses=_IMAGES)
    async def image(call: str, request: Request) -> Response:
        """Segment's tracking pixel: one message in the address, for mails and pages without scripts."""
        with service.span("collector", call="pixel"):
            return await pixel(service, call, request)

    @app.post("/v1/{call}", responses={**answers, **faults(404)}, **_MESSAGE)
    async def take(call: str, request: Request) -> Response:
        """Segment's HTTP API: track, identify, page, screen, group, alias, batch. Write key as user of Basic authentication."""
        with service.span("collector", call=call[:16]):
            return await collected(service, call, request, await request.body())
