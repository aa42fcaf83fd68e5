"""What a job writes into its log: a line of text, or one of JSON. Keys of ours are hidden, also where a stack trace quotes a plan."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from lakehouse.config import Config
from lakehouse.config.kafka_options import Secret

HIDDEN = "(hidden)"
CONTEXT = ("query", "batch_id")  # attributes a record may have, given as `extra`


class TextLines(logging.Formatter):
    """The message, and a stack trace where there is one."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        return self.hide(super().format(record))

    def hide(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


class JsonLines(TextLines):
    """One object a line: time (UTC), level, logger, message; query, batch_id and error where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.hide(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in CONTEXT if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.hide(self.formatException(record.exc_info))
        return json.dumps(line)


def set_up(config: Config) -> None:
    """Once for a process, and for our own lines: what libraries log is theirs. Whoever has set up logging before keeps what they have."""
    ours = logging.getLogger("stitchlake")
    if ours.hasHandlers():
        return
    of_kafka = (value for value in config.kafka.options.values() if isinstance(value, Secret))
    of_registry = (config.schema_registry.password, config.schema_registry.token)
    secrets = (config.privacy.hmac_key, *config.mail.unsubscribe_keys, *of_kafka, *of_registry)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(secrets) if config.log.format == "json" else TextLines(secrets))
    ours.addHandler(handler)
    ours.setLevel(config.log.level.upper())
