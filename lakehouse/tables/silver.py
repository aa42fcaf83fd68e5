"""Contracts of what the `profiles` query keeps in silver: activity, orders, traits and the identity graph."""

from lakehouse.tables.contract import (
    CONSENT,
    KAFKA,
    MONEY,
    ORDER_FACT,
    PRODUCT_LINE,
    REFUND_FACT,
    Table,
    optional,
    required,
)

SILVER_ACTIVITY_DAILY = Table(
    name="silver.activity_daily",
    grain="one row per actor and UTC day",
    key=("actor_id", "activity_date"),
    owner="streaming/profiles.py",
    reads=(KAFKA,),
    columns=(
        required("actor_id", "string", "actor"),
        required("activity_date", "date", "UTC day of occurred_at"),
        optional("user_id", "string", "the actor's user_id; null = anonymous"),
        required("event_count", "bigint", "events of any kind"),
        required("view_count", "bigint", "Product Viewed events"),
        required("cart_count", "bigint", "Product Added events"),
        required("order_count", "bigint", "distinct order_id among Order Completed"),
        required("revenue", MONEY, "order value before refunds, default_currency"),
        required("first_at", "timestamp", "earliest event of the day"),
        required("last_at", "timestamp", "latest event of the day"),
        optional("consent", CONSENT, "latest consent the actor gave that day; null = none given"),
    ),
)

SILVER_ORDERS = Table(
    name="silver.orders",
    grain="one row per order",
    key=("order_id",),
    owner="streaming/profiles.py",
    reads=(KAFKA,),
    columns=(
        required("order_id", "string", "order"),
        optional("actor_id", "string", "actor of the earliest completion; null = only a refund has been seen"),
        optional("ordered_at", "timestamp", "time of the earliest completion; null = only a refund has been seen"),
        optional("revenue", MONEY, "earliest completion's value less all refunds, default_currency"),
        optional("lines", f"array<{PRODUCT_LINE}>", "lines of the earliest completion"),
        required("completions", f"array<{ORDER_FACT}>", "every distinct Order Completed message of the order"),
        required(
            "refunds", f"array<{REFUND_FACT}>", "every distinct Order Refunded message; null amount = whole order"
        ),
    ),
)

SILVER_PERSONAL_TRAITS = Table(
    name="silver.personal_traits",
    grain="one row per actor and trait",
    key=("actor_id", "trait"),
    owner="streaming/profiles.py",
    reads=(KAFKA,),
    time_column="seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("trait", "string", "name of the trait, snake_case: email, phone, first_name, ..."),
        required("value", "string", "latest value as sent: raw personal data"),
        required("seen_at", "timestamp", "time of the event that carried the value"),
    ),
)

SILVER_IDENTITY_EDGES = Table(
    name="silver.identity_edges",
    grain="one row per actor and identifier",
    key=("actor_id", "identifier_type", "identifier_token"),
    owner="streaming/profiles.py",
    reads=(KAFKA,),
    time_column="first_seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("identifier_type", "string", "user_id, email, phone, loyalty_id, device_id or anonymous_id"),
        required("identifier_token", "string", "value, or HMAC token where the value is personal"),
        required("first_seen_at", "timestamp", "earliest event of the actor"),
        required("kind", "string", "deterministic or probabilistic"),
        required("weight", "double", "bits of evidence; 0 for deterministic"),
    ),
)

SILVER_IDENTITY_MAP = Table(
    name="silver.identity_map",
    grain="one row per actor",
    key=("actor_id",),
    owner="streaming/profiles.py",
    reads=("silver.identity_edges",),
    time_column="first_seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("profile_id", "string", "actor_id of the profile's oldest actor"),
        required(
            "component_id",
            "string",
            "oldest actor reachable by identifiers that at most max_actors actors carry, limits ignored",
        ),
        required("first_seen_at", "timestamp", "earliest event of the actor"),
        optional(
            "cause",
            "string",
            "strongest identifier type that ties the actor to its profile; null = it names the profile",
        ),
        required("resolved_at", "timestamp", "time of the micro-batch that last changed the row"),
    ),
)

SILVER_IDENTITY_LOG = Table(
    name="silver.identity_log",
    grain="one row per change of one actor's profile",
    key=("change_id",),
    owner="streaming/profiles.py",
    reads=("silver.identity_map",),
    columns=(
        required("change_id", "string", "hash of batch, actor and both profiles"),
        required("type", "string", "create, attach, merge or split"),
        required("actor_id", "string", "actor that changed"),
        optional("from_profile_id", "string", "profile before; null = the actor is new"),
        required("to_profile_id", "string", "profile after"),
        optional(
            "cause",
            "string",
            "strongest identifier type that ties the actor to its profile; null = it names the profile",
        ),
        required("batch_id", "bigint", "micro-batch; negative for a repair by reconcile or rebuild"),
        required("changed_at", "timestamp", "time of the micro-batch"),
    ),
)

SILVER_IDENTITY_HISTORY = Table(
    name="silver.identity_history",
    grain="one row per actor and validity",
    key=("actor_id", "valid_from"),
    owner="streaming/profiles.py",
    reads=("silver.identity_log",),
    time_column="valid_from",
    columns=(
        required("actor_id", "string", "actor"),
        required("profile_id", "string", "profile it was in"),
        required("valid_from", "timestamp", "time of the micro-batch that put it there"),
        optional("valid_to", "timestamp", "time of the micro-batch that moved it on; null = it is there now"),
    ),
)

SILVER_IDENTITY_RULES = Table(
    name="silver.identity_rules",
    grain="one row per time the rules of identity changed",
    key=("applied_at",),
    owner="streaming/profiles.py",
    reads=(),
    columns=(
        required("applied_at", "timestamp", "time of the micro-batch that solved everything again by them"),
        required("fingerprint", "string", "digest of the rules"),
        required("rules", "string", "JSON: priority, limit and max_actors by type, and what is blocked"),
    ),
)
