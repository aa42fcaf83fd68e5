"""Contract of what people say about the identity graph: silver.identity_overrides."""

from lakehouse.tables.contract import Table, optional, required

SILVER_IDENTITY_OVERRIDES = Table(
    name="silver.identity_overrides",
    grain="one row per override of the identity graph",
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
