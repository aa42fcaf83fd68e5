"""Contracts of what is known of people who were erased: that they were, how much went, and whose records come no more. No table says who."""

from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

_OWNER = "streaming/events.py"
_ERASURE = required("erasure_id", "string", "erasure; made up, and of no person's making")

OPS_ERASURES = Table(
    name="ops.erasures",
    grain="one row per erasure that was asked for: the receipt",
    people=Nobody("of erasures, without who was erased"),
    key=("erasure_id",),
    owner=_OWNER,
    columns=(
        _ERASURE,
        required("asked_by", "string", "who asked for it"),
        required("reason", "string", "why, in their words"),
        required("asked_at", "timestamp", "when"),
        required("outcome", "string", "erased; waiting: the detail says for what; refused: the detail says why"),
        optional("detail", "string", "what is waited for, or why it was refused; null = erased"),
        required("profiles", "bigint", "profiles the person had"),
        required("actors", "bigint", "actors of these profiles, and of events of theirs that are of no profile"),
        required("identifiers", "bigint", "identifiers that nobody else carries"),
        required("counts", "string", "JSON: table -> rows of the person that went; 0 everywhere = there was nobody"),
        required("ends", "string", "JSON: table of records -> topic -> partition -> how far it reached then, whatever went"),
        optional("commits", "string", "JSON: table -> its commit by which nothing of the person was in it; null = not so far yet, or of an earlier release"),
        write_time("written_at", "when the row was last set"),
    ),
)  # fmt: skip

OPS_ERASED_IDENTIFIERS = Table(
    name="ops.erased_identifiers",
    grain="one row per identifier or actor whose events are held back",
    people=Nobody("of keyed hashes: whose they are can be told of an event that comes, and of none other"),
    key=("digest",),
    owner=_OWNER,
    columns=(
        required("digest", "string", "HMAC of type and token, or of the actor_id; another one than any token"),
        required("until", "timestamp", "events that happened up to then are held back"),
        _ERASURE,
    ),
)
