"""What libraries ask for before they send: Segment's settings and RudderStack's source configuration, which point them here.

Sources: CDNSettings of segmentio/analytics-next, Settings of segmentio/analytics-kotlin, SourceConfigResponse of
rudderlabs/rudder-sdk-js. Nothing is switched on: no device-mode destination, no metrics, no sampling.
"""

from typing import Any
from urllib.parse import urlsplit

_NEVER = "1970-01-01T00:00:00.000Z"


def segment_settings(write_key: str, address: str) -> dict[str, Any]:
    """Of `/v1/projects/<write key>/settings`. `address`: where the library reaches this service."""
    scheme, host, path, *_ = urlsplit(address)
    api_host = f"{host}{path.rstrip('/')}/v1"
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": api_host,
                "protocol": scheme,
                "addBundledMetadata": False,
                "unbundledIntegrations": [],
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {},
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": api_host, "protocol": scheme},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def rudder_source_config(write_key: str) -> dict[str, Any]:
    """Of `/sourceConfig`."""
    no_statistics = {"enabled": False}
    return {
        "source": {
            "id": "stitchlake",
            "name": "Stitchlake",
            "writeKey": write_key,
            "enabled": True,
            "workspaceId": "stitchlake",
            "sourceDefinitionId": "stitchlake",
            "config": {"statsCollection": {"errors": no_statistics, "metrics": no_statistics}},
            "destinations": [],
            "connections": [],
            "liveEventsConfig": {"eventUpload": False, "eventUploadTS": 0},
            "createdAt": _NEVER,
            "updatedAt": _NEVER,
        }
    }
