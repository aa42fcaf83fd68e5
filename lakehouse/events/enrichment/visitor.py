"""Whose visit an event belongs to: the browser or device it came from, as Snowplow's domain_userid. Never a profile, which merges and splits."""

from collections.abc import Sequence

from lakehouse.events.identifier import Identifier

# What stands for a browser or device; and who was there, where only a page tells that somebody was.
_DEVICES = ("anonymous_id", "device_id")
_PEOPLE = ("user_id", "loyalty_id", "email", "phone")


def visitor_id(anonymous_id: str | None, identifiers: Sequence[Identifier], *, is_visit: bool) -> str | None:
    """The anonymous id; else another identifier, with its type before it, so that it is never taken for one.

    Args:
        anonymous_id: as it is known in silver.events.
        identifiers: those of the event, sorted.
        is_visit: it tells of a page or a screen, or came on a channel of visitors. An event that does not, and names no browser or device,
            is no visit: the shop's server sent it, or it is a file's.

    Returns:
        None = no visit.
    """
    if anonymous_id is not None:
        return anonymous_id
    types = (*_DEVICES, *_PEOPLE) if is_visit else _DEVICES
    return next((f"{type_}:{token}" for wanted in types for type_, token in identifiers if type_ == wanted), None)
