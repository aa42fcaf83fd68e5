"""The id of a message as silver.events shows it: by that a message is known again."""

from collections.abc import Mapping
from typing import Any

import orjson

from lakehouse.config import PrivacyConfig
from lakehouse.events.fields import text
from lakehouse.events.tokens import hidden


def sent_id(value: bytes, privacy: PrivacyConfig) -> str | None:
    """The id of a message in a topic, as `shown_id`; None = nobody can read one."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or (text(document, "message_id") is None and "messageId" not in document):
        return None
    return shown_id(document, privacy)


def shown_id(document: Mapping[str, Any], privacy: PrivacyConfig) -> str:
    """The id of a message as silver.events shows it: in its one form, and a token where it is personal. One that silver would refuse as it is."""
    read = text(document, "message_id")
    return str(document["messageId"]) if read is None else hidden(privacy, "message_id", read)
