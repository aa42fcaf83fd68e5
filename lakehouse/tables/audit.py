"""Contract of the audit log: ops.audit."""

from lakehouse.tables.contract import Table, required
from lakehouse.tables.people import Nobody

OPS_AUDIT = Table(
    name="ops.audit",
    grain="one row per act that somebody must be able to answer for, each sealed with the one before",
    people=Nobody("of acts: who was concerned is not said"),
    key=("number",),
    owner="lakehouse/commands/audit.py",
    columns=(
        required("number", "bigint", "1, 2, 3 and so on, without a gap"),
        required("at", "timestamp", "when"),
        required(
            "kind",
            "string",
            "erasure_asked, erasure, read, override, promotion, rollback, key, access, rules or settings",
        ),
        required("by", "string", "who did it: as they said, else the account of the operating system"),
        required("detail", "string", "JSON: what was done; no personal data"),
        required("seal", "string", "HMAC of the row and of the seal before it"),
    ),
)
