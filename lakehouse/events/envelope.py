"""The contract of a message: which fields an event of each type needs. Source: Segment spec.

Two types are our own: that whoever carries the identifier is to be left alone, or is not any more.
"""

SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"  # ours: the decision service sends them, and takes them from nobody
TYPES = ("track", "identify", "page", "screen", "group", "alias", SUPPRESS, UNSUPPRESS)
# fields without which an event means nothing: (type, None = every type; field)
NEEDED = (
    (None, "type"),
    (None, "message_id"),
    ("track", "event_name"),
    ("group", "group_id"),
    ("alias", "previous_id"),
    ("alias", "user_id"),
)
