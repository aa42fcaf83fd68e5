"""Cases of what senders really send, run against the served application and a real broker."""

from tests.serving.conftest import _servers, config_in, door, serving_config, start, trained

__all__ = ["_servers", "config_in", "door", "serving_config", "start", "trained"]
