"""Contracts of the identity graph: edges, map, log and history; what people overrule; likely pairs and what they are found by."""

from lakehouse.tables.contract import KAFKA, Table, optional, required, write_time
from lakehouse.tables.people import By, ByIdentifier, Nobody, by

MATCH = "match"
"""The type of what two actors of a likely pair have in common; nobody carries it."""
APART_PROBABILITY = 0.1
"""A pair that is stored although it is less likely than this speaks against: two people who live together."""

SILVER_IDENTITY_EDGES = Table(
    name="silver.identity_edges",
    grain="one row per actor and identifier",
    people=(by("actor_id", By.ACTOR), by("identifier_token", By.MATCH)),
    key=("actor_id", "identifier_type", "identifier_token"),
    owner="streaming/events.py",
    reads=(KAFKA,),
    time_column="first_seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("identifier_type", "string", "user_id, email, phone, loyalty_id, device_id or anonymous_id"),
        required("identifier_token", "string", "value, or HMAC token where the value is personal"),
        required("first_seen_at", "timestamp", "earliest event of the actor"),
        required("kind", "string", "deterministic or probabilistic"),
        required("weight", "double", "bits of evidence; 0 for deterministic, far below 0 for two people told apart"),
    ),
)

SILVER_IDENTITY_MAP = Table(
    name="silver.identity_map",
    grain="one row per actor",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id",),
    owner="streaming/events.py",
    reads=("silver.identity_edges",),
    time_column="first_seen_at",
    columns=(
        required("actor_id", "string", "actor"),
        required("profile_id", "string", "actor_id of the profile's oldest actor"),
        required(
            "component_id",
            "string",
            "oldest actor reachable by identifiers, as far as hubs link, limits ignored",
        ),
        required("first_seen_at", "timestamp", "earliest event of the actor"),
        optional(
            "cause",
            "string",
            "strongest identifier type that ties the actor to its profile; null = it names the profile",
        ),
        write_time("resolved_at", "time of the micro-batch that last changed the row"),
    ),
)

SILVER_IDENTITY_LOG = Table(
    name="silver.identity_log",
    grain="one row per change of one actor's profile",
    people=(by("actor_id", By.ACTOR),),
    key=("change_id",),
    owner="streaming/events.py",
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
        required("batch_id", "bigint", "micro-batch; negative where none brought it: a rebuild, a command"),
        required("changed_at", "timestamp", "time of the micro-batch"),
    ),
)

SILVER_IDENTITY_HISTORY = Table(
    name="silver.identity_history",
    grain="one row per actor and validity",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id", "valid_from"),
    owner="streaming/events.py",
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
    people=Nobody("of the rules of identity"),
    key=("applied_at",),
    owner="streaming/events.py",
    reads=(),
    columns=(
        required("applied_at", "timestamp", "time of the micro-batch that solved everything again by them"),
        required("fingerprint", "string", "digest of the rules"),
        required("rules", "string", "JSON: priority, limit and max_actors by type, and what is blocked"),
    ),
)

SILVER_IDENTITY_OVERRIDES = Table(
    name="silver.identity_overrides",
    grain="one row per override of the identity graph",
    people=(
        ByIdentifier(type_column="first_type", token_column="first_token"),
        ByIdentifier(type_column="second_type", token_column="second_token"),
    ),
    key=("override_id",),
    owner="lakehouse/commands/identity.py",
    columns=(
        required("override_id", "string", "hash of action, identifiers and created_at"),
        required("action", "string", "link, unlink or block"),
        required("first_type", "string", "identifier type; of a pair the one that sorts first by type, then token"),
        required("first_token", "string", "value, or HMAC token where the value is personal"),
        optional("second_type", "string", "identifier type of the pair's other; null = block"),
        optional("second_token", "string", "value or HMAC token of the pair's other; null = block"),
        required("created_by", "string", "who asked for it"),
        required("reason", "string", "why, in their words"),
        required("created_at", "timestamp", "time it was asked for"),
        optional("undone_by", "string", "who took it back; null = in force"),
        optional("undone_reason", "string", "why it was taken back; null = in force"),
        optional("undone_at", "timestamp", "time it was taken back; null = in force"),
    ),
)

SILVER_MATCH_BLOCKS = Table(
    name="silver.match_blocks",
    grain="one row per actor described by traits",
    people=(by("actor_id", By.ACTOR),),
    key=("actor_id",),
    owner="streaming/events.py",
    reads=("silver.personal_traits",),
    columns=(
        required("actor_id", "string", "actor"),
        required(
            "block_keys", "array<string>", "HMACs of what it may have in common with others, by the model's rules"
        ),
        required("fingerprint", "string", "HMAC of its comparable values: another one, and it is matched again"),
        required("model_version", "string", "identity model whose rules these are"),
    ),
)

SILVER_IDENTITY_REVIEW = Table(
    name="silver.identity_review",
    grain="one row per pair of actors that may be one person",
    people=(by("actor_l", By.ACTOR), by("actor_r", By.ACTOR)),
    key=("actor_l", "actor_r"),
    owner="streaming/events.py",
    reads=("silver.personal_traits", "silver.match_blocks"),
    columns=(
        required("actor_l", "string", "actor, the smaller id of the two"),
        required("actor_r", "string", "actor, the greater id"),
        required("weight", "double", "bits of evidence that they are one person, prior included"),
        required("probability", "double", "2^weight / (1 + 2^weight)"),
        required(
            "verdict",
            "string",
            "match: likely enough to join two single records; review: for a person to decide; apart: two people who live together",
        ),
        required(
            "evidence",
            "array<struct<field:string,bits:double>>",
            "bits by field, and of a household; they and the prior add up to weight",
        ),
        required("model_version", "string", "identity model that compared them"),
        write_time("computed_at", "time of the micro-batch"),
    ),
)
