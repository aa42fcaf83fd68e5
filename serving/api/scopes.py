"""What each route asks for: every route of the service, in one table. The service does not start with a route that is not in it."""

from collections.abc import Mapping

from serving.api.keys import ADMIN, DECIDE, INGEST, PROFILES, SUPPRESS

OPEN = ""  # tells of nobody and changes nothing
SIGNED = "signed"  # its body is signed, by a secret that its source declares
LINK = "link"  # its address is a signed link, which is the key
SCOPES: Mapping[str, str] = {
    "/": OPEN,
    "/docs": OPEN,
    "/docs/swagger-ui.js": OPEN,
    "/docs/swagger-ui.css": OPEN,
    "/openapi.json": OPEN,
    "/healthz": OPEN,
    "/readyz": OPEN,
    "/stitchlake.js": OPEN,
    "/metrics": ADMIN,
    "/api/status": ADMIN,
    "/api/products": ADMIN,
    "/api/personalized-recommendations": DECIDE,
    "/api/decide": DECIDE,
    "/api/exposures": DECIDE,
    "/api/outcomes": DECIDE,
    "/api/page-tokens": DECIDE,
    "/ws": DECIDE,  # or a page token
    "/api/profiles/{identifier_type}/{value:path}": PROFILES,
    "/api/changes": PROFILES,
    "/api/suppressions": SUPPRESS,
    "/api/mail-feedback": SUPPRESS,
    "/unsubscribe/{token}": LINK,
    "/webhooks/{source}": SIGNED,
    "/v1/{call}": INGEST,
    "/beacon/v1/batch": INGEST,
    "/pixel/v1/{call}": INGEST,
    "/v1/pixel/{call}": INGEST,
    "/v1/projects/{write_key}/settings": INGEST,
    "/sourceConfig": INGEST,
}
BARE = [path for path, scope in SCOPES.items() if scope == OPEN]  # may be asked for by HEAD
ASKED_BY_ROUTE = (INGEST, LINK, SIGNED)  # their key may be in the body or the address, which only the route reads
