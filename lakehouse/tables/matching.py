"""Contracts of matching: what pairs are looked for by, and the pairs that may be one person."""

from lakehouse.tables.contract import Table, required

SILVER_MATCH_BLOCKS = Table(
    name="silver.match_blocks",
    grain="one row per actor described by traits",
    key=("actor_id",),
    owner="streaming/profiles.py",
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
    key=("actor_l", "actor_r"),
    owner="streaming/profiles.py",
    reads=("silver.personal_traits", "silver.match_blocks"),
    columns=(
        required("actor_l", "string", "actor, the smaller id of the two"),
        required("actor_r", "string", "actor, the greater id"),
        required("weight", "double", "bits of evidence that they are one person, prior included"),
        required("probability", "double", "2^weight / (1 + 2^weight)"),
        required(
            "verdict", "string", "match: likely enough to join two single records; review: for a person to decide"
        ),
        required(
            "evidence", "array<struct<field:string,bits:double>>", "bits by field; they and the prior add up to weight"
        ),
        required("model_version", "string", "identity model that compared them"),
        required("computed_at", "timestamp", "time of the micro-batch"),
    ),
)
