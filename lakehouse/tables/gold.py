"""Contracts of the gold tables: RFM, segments, scores, the activation table that BI and exports read, and households."""

from lakehouse.tables.contract import MONEY, Table, optional, required

GOLD_RFM = Table(
    name="gold.rfm",
    grain="one row per profile with orders",
    key=("profile_id",),
    owner="streaming/profiles.py",
    reads=("silver.identity_map", "silver.orders"),
    columns=(
        required("profile_id", "string", "profile"),
        required("first_order_at", "timestamp", "earliest order"),
        required("last_order_at", "timestamp", "latest order; days since are computed at read"),
        required("frequency", "bigint", "distinct orders"),
        required("monetary", MONEY, "net revenue of those orders, refunds taken off, default_currency"),
        optional("r_score", "int", "quintile of last_order_at, 5 = latest; null = no segment model yet"),
        optional("f_score", "int", "quintile of frequency, 5 = most; null = no segment model yet"),
        optional("m_score", "int", "quintile of monetary, 5 = most; null = no segment model yet"),
        required("computed_at", "timestamp", "time of the micro-batch that last changed the row"),
    ),
)

GOLD_SEGMENTS = Table(
    name="gold.segments",
    grain="one row per profile and validity",
    key=("profile_id", "valid_from"),
    owner="streaming/profiles.py",
    reads=("gold.rfm",),
    columns=(
        required("profile_id", "string", "profile with orders"),
        required("segment", "string", "name of the segment, in words"),
        required("model_version", "string", "version of the segments model in the registry"),
        required("valid_from", "timestamp", "time the profile entered the segment"),
        optional("valid_to", "timestamp", "time it left; null = still in it"),
    ),
)

GOLD_SCORES = Table(
    name="gold.scores",
    grain="one row per profile",
    key=("profile_id",),
    owner="streaming/profiles.py",
    reads=("silver.identity_map", "silver.activity_daily", "silver.orders"),
    columns=(
        required("profile_id", "string", "profile"),
        optional("purchase_propensity", "double", "probability of an order within scores.horizon_days of as_of"),
        optional("churn_risk", "double", "null until a churn model is trained"),
        optional("clv", "double", "null until a lifetime value model is trained"),
        required("model_version", "string", "version of the scores model in the registry"),
        required("as_of", "timestamp", "event time the features were taken at"),
    ),
)

GOLD_ACTIVATION = Table(
    name="gold.activation",
    grain="one row per profile",
    key=("profile_id",),
    owner="streaming/profiles.py",
    reads=("gold.rfm", "gold.segments", "gold.scores", "silver.activity_daily"),
    columns=(
        required("profile_id", "string", "profile"),
        required("user_ids", "array<string>", "user ids of the profile, sorted; empty = anonymous"),
        required("first_seen_at", "timestamp", "earliest event"),
        required("last_seen_at", "timestamp", "latest event"),
        required("event_count", "bigint", "events of any kind"),
        required("view_count", "bigint", "Product Viewed events"),
        required("cart_count", "bigint", "Product Added events"),
        optional("last_order_at", "timestamp", "latest order; null = never ordered"),
        required("frequency", "bigint", "distinct orders; 0 = never ordered"),
        required("monetary", MONEY, "net revenue, default_currency; 0 = never ordered"),
        optional("r_score", "int", "as gold.rfm"),
        optional("f_score", "int", "as gold.rfm"),
        optional("m_score", "int", "as gold.rfm"),
        optional("segment", "string", "current segment; null = never ordered, or no model yet"),
        optional("segment_model_version", "string", "version that chose the segment"),
        optional("purchase_propensity", "double", "as gold.scores; null = no model yet"),
        optional("churn_risk", "double", "as gold.scores"),
        optional("clv", "double", "as gold.scores"),
        optional("score_model_version", "string", "version that made the scores"),
        required("next_best_action", "string", "what to do next, by rule; none = nothing, or marketing consent denied"),
        optional("consent_analytics", "boolean", "latest word; null = never asked"),
        optional("consent_personalization", "boolean", "latest word; null = never asked"),
        optional("consent_marketing", "boolean", "latest word; null = never asked"),
        required("as_of", "timestamp", "newest event time in the lake when scores and next_best_action were taken"),
        required("updated_at", "timestamp", "time of the micro-batch that last wrote the row"),
    ),
)

GOLD_PRODUCTS = Table(
    name="gold.products",
    grain="one row per product",
    key=("product_id",),
    owner="ml/train_recommender.py",
    reads=("bronze.events", "silver.events"),
    columns=(
        required("product_id", "string", "product"),
        optional("category", "string", "latest category sent with it; null = none ever sent"),
        optional("name", "string", "latest name sent with it; null = none ever sent"),
        optional("price", MONEY, "latest price sent with it, default_currency; null = none ever sent"),
        required("first_seen_at", "timestamp", "earliest event about it"),
        required("last_seen_at", "timestamp", "latest event about it"),
        required("view_count", "bigint", "Product Viewed events"),
        required("order_count", "bigint", "distinct orders it is in"),
        required(
            "is_available", "boolean", "seen within recommender.gone_days of as_of; stock is told to the decision API"
        ),
        required("as_of", "timestamp", "time up to which events were read"),
    ),
)

GOLD_HOUSEHOLDS = Table(
    name="gold.households",
    grain="one row per profile in a household",
    key=("profile_id",),
    owner="batch/households.py",
    reads=("silver.events", "silver.personal_traits", "silver.identity_map"),
    columns=(
        required("profile_id", "string", "profile; it stays one, a household never merges anybody"),
        required("household_id", "string", "HMAC token of the address and family name, or of the group"),
        required("basis", "string", "address: same street, postal code and family name; group: a group call says so"),
        required("members", "bigint", "profiles of the household, at most households.max_members; 1 = lives alone"),
        required("computed_at", "timestamp", "time of the run"),
    ),
)
