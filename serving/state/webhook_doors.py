"""By which sources records come as webhooks: those that declare how to tell theirs, and that a topic is bound to."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.sources.declaration import bound_declarations
from lakehouse.sources.webhook import Webhook

log = logging.getLogger("stitchlake.serving")


@dataclass(frozen=True, kw_only=True)
class WebhookDoor:
    """topic: where its records go. secrets: those of the declared ones that are set; none = nobody can be believed yet."""

    topic: str
    declared: Webhook
    secrets: tuple[bytes, ...] = field(repr=False)

    @property
    def is_closed(self) -> bool:
        """Whether a secret is missing that somebody has to set first."""
        return not self.declared.is_unsigned and not self.secrets


def webhook_doors(config: Config, folder: Path, environ: Mapping[str, str]) -> Mapping[str, WebhookDoor]:
    """Source -> its door. A secret that is not set is told in the log, by its name.

    Raises:
        ConfigError: the file of a bound source has faults, two topics are bound to one that takes webhooks, or nothing is signed beside a proxy.
    """
    behind = next((f"serving.{name}" for name in ("proxies", "public_url") if getattr(config.serving, name)), None)
    doors: dict[str, WebhookDoor] = {}
    for topic, (source, declaration) in bound_declarations(config.kafka.sources, folder).items():
        if (declared := declaration.webhook) is None:
            continue
        if source in doors:
            raise ConfigError(
                f"kafka.sources: source '{source}' takes webhooks and got the topics '{doors[source].topic}' and '{topic}', expected "
                "one: where they go. Bind one topic to it, and the other to a copy of its file"
            )
        if declared.is_unsigned and behind is not None:
            raise ConfigError(
                f"conf/sources/{source}.yaml: webhook.is_unsigned: got {behind} beside it, expected no proxy: whoever it hands on calls from this "
                "machine. Declare a signature, or let a service of its own take them"
            )
        names = [secret[2:-1] for secret in declared.secrets]
        secrets = tuple(environ[name].encode() for name in names if environ.get(name))
        doors[source] = door = WebhookDoor(topic=topic, declared=declared, secrets=secrets)
        if door.is_closed:
            log.warning("webhooks: source '%s' takes none yet: set %s in the environment", source, " or ".join(names))
    return doors
