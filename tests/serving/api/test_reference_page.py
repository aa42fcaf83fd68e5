"""The page that shows the API, as a browser loads it."""

import re

from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.api.reference_page import hand_out_reference


def test_it_loads_nothing_from_elsewhere() -> None:
    app = FastAPI(title="Ours", docs_url=None)
    hand_out_reference(app)
    client = TestClient(app)
    page = client.get("/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert [one for one in loaded if one.startswith(("http", "//"))] == []
    assert {
        one: client.get(one).headers["content-type"].partition(";")[0] for one in loaded if one.startswith("/")
    } == {
        "/docs/swagger-ui.css": "text/css",
        "/docs/swagger-ui.js": "text/javascript",
    }
    assert "/openapi.json" in page.text
    assert client.get("/openapi.json").status_code == 200
    assert b"SwaggerUIBundle" in client.get("/docs/swagger-ui.js").content
