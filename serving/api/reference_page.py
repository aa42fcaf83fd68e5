"""GET /docs: the page that shows the API by its OpenAPI document. All that it loads is served here: it works without the Internet, and tells nobody who reads it."""

from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response

_PAGE, _SCRIPT, _STYLE = "/docs", "/docs/swagger-ui.js", "/docs/swagger-ui.css"
_ASSETS = files("fastapi_offline") / "static"
# A key is typed into it: nothing from elsewhere runs or is called, and no other page may show it in itself. FastAPI starts it by a script in the page.
_NOTHING_ELSEWHERE = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'"
}
_KEPT = {"cache-control": "public, max-age=3600"}


def hand_out_reference(app: FastAPI) -> None:
    """Add the page and what it loads to the application."""
    page = get_swagger_ui_html(
        openapi_url=str(app.openapi_url),
        title=app.title,
        swagger_js_url=_SCRIPT,
        swagger_css_url=_STYLE,
        swagger_favicon_url="data:,",
    )
    script, style = (_ASSETS.joinpath(name).read_bytes() for name in ("swagger-ui-bundle.js", "swagger-ui.css"))

    @app.get(_PAGE, include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(bytes(page.body), headers=_NOTHING_ELSEWHERE)

    @app.get(_SCRIPT, include_in_schema=False)
    async def reference_script() -> Response:
        return Response(script, headers=_KEPT, media_type="text/javascript")

    @app.get(_STYLE, include_in_schema=False)
    async def reference_style() -> Response:
        return Response(style, headers=_KEPT, media_type="text/css")
