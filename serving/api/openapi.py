"""The OpenAPI page of routes that read their body themselves: requests and answers by their models, examples included."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.messages.answer_models import Fault

_REF = "#/components/schemas/{model}"
_CALLERS = {
    "key": {"type": "http", "scheme": "bearer", "description": "a key, or a token of the identity provider"},
    "key_as_user": {"type": "http", "scheme": "basic", "description": "a key as the user, without a password"},
}
Answers = dict[int | str, dict[str, Any]]  # of a route, by status
_requests: set[type[BaseModel]] = set()


def faults(*codes: int) -> Answers:
    """The refusals that any route with a scope has, and these. 503: whose a token is cannot be said now."""
    # Also where the answer is no JSON.
    refused = {"application/json": {"schema": {"$ref": _REF.format(model=Fault.__name__)}}}
    return {code: {"description": HTTPStatus(code).phrase, "content": refused} for code in (401, 403, 429, 503, *codes)}


def json_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of a route whose body has no model."""
    return {"openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}}


def json_body(request: type[BaseModel], answer: type[BaseModel], *codes: int) -> dict[str, Any]:
    """Keyword arguments of a route: what it takes and gives, and by which further codes it refuses."""
    _requests.add(request)
    schema = {"$ref": _REF.format(model=request.__name__)}
    refusals = faults(400, 413, 415, 422, *codes)
    return {**json_text(schema), "responses": {200: {"model": answer}, **refusals}}


def document(app: FastAPI, scopes: Mapping[str, str], *, of_keys: Collection[str]) -> None:
    """Put the request models into the page, and what each route asks for. `scopes`: by path. `of_keys`: those that a key or token has."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            models = sorted(_requests | {Fault}, key=lambda model: model.__name__)
            _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
            page["components"]["schemas"] |= schemas["$defs"]
            page["components"]["securitySchemes"] = _CALLERS
            for route in app.routes:
                if isinstance(route, APIRoute) and scopes[route.path] in of_keys:
                    for operation in page["paths"].get(route.path_format, {}).values():
                        operation["security"] = [{name: []} for name in _CALLERS]
                        operation["x-scope"] = scopes[route.path]
            app.openapi_schema = page
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend the page
