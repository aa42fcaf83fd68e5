"""The contract of a message: which fields an event of each type needs. Source: Segment spec.

Five types are our own. Two say that whoever carries the identifier is to be left alone, or is not any more. Two are facts of no person,
and no events: see facts.py. One stands for a record of a source that its mapping makes no event of: it goes to quarantine.
"""

SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"
PRODUCT_AVAILABILITY, EXPERIMENT_START = "product_availability", "experiment_start"
UNMAPPED = "unmapped"
FACTS = (PRODUCT_AVAILABILITY, EXPERIMENT_START)
OURS = (SUPPRESS, UNSUPPRESS, UNMAPPED, *FACTS)  # the decision service sends them, and takes them from nobody
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
