"""Contracts of what is written down about exports: their runs, what each tried with a row, and what a destination holds of it."""

from lakehouse.tables.contract import Column, Table, optional, required, write_time
from lakehouse.tables.people import By, Nobody, by

OWNER = "batch/export.py"
READS = ("gold.activation", "gold.contacts")
_RUN = required("run_id", "string", "run: time of its start and some letters; later runs sort behind")
_EXPORT = required("export", "string", "name of the export, as conf/exports.yaml declares it")
_KEY = required("key", "string", "key of the row at the destination: its text, or JSON of several columns")
_PROFILE = required("profile_id", "string", "profile the row is of")


def _of_a_row(*, state: str, time: str, time_comment: str) -> tuple[Column, ...]:
    """What is said of a row, in the journal and in what follows from it."""
    return (
        required("state", "string", state),
        optional("hash", "string", "keyed hash of the mapped columns as they were tried last; null = nothing was"),
        required("is_there", "boolean", "whether the destination may hold something of the row"),
        optional("identity", "string", "what the destination finds the row by, where that is not the key: hashed, as it asks; null = the key"),
        required("attempts", "bigint", "runs in a row that were refused the row; 0 = it was taken"),
        optional("reason", "string", "why it was not taken; holds no value of the row"),
        optional("batch_id", "string", "batch it was last sent in: sent again, it is the same batch"),
        write_time(time, time_comment),
    )  # fmt: skip


OPS_EXPORT_RUNS = Table(
    name="ops.export_runs",
    grain="one row per run of an export; kept for exports.keep_days",
    people=Nobody("of runs of exports, counted"),
    key=("export", "run_id"),
    owner=OWNER,
    reads=READS,
    columns=(
        _EXPORT,
        _RUN,
        required("state", "string", "running, finished, stopped (the reason says why) or interrupted (its process died)"),
        required("is_full", "boolean", "whether it was asked to send every row, changed or not"),
        required("read", "bigint", "rows there were = unchanged + dead + withheld + delivered + rejected + unanswered + unsent"),
        required("unchanged", "bigint", "rows the destination has as they are"),
        required("withheld", "bigint", "rows that may not leave: suppressed, no consent, held out"),
        required("delivered", "bigint", "rows the destination took"),
        required("rejected", "bigint", "rows it refused; they are tried again"),
        required("dead", "bigint", "rows it refused so often that they wait until they change"),
        required("unanswered", "bigint", "rows it may have taken or not; they are sent again"),
        required("unsent", "bigint", "rows that were not tried, because the run ended before"),
        required("removed", "bigint", "rows that were taken from it"),
        required("not_removed", "bigint", "rows that are to be taken from it and are not yet"),
        optional("reason", "string", "why it stopped; null = it did not"),
        required("started_at", "timestamp", "when it began"),
        write_time("ended_at", "when it ended; of one that runs, when it began"),
    ),
)  # fmt: skip

OPS_EXPORT_CHANGES = Table(
    name="ops.export_changes",
    grain="one row per run, row and step: that it is being sent or removed, and what became of that; kept for exports.keep_days",
    people=(by("profile_id", By.ACTOR),),
    key=("export", "run_id", "number"),
    holds_personal_data=True,  # a key may be an address
    owner=OWNER,
    reads=READS,
    columns=(
        _EXPORT,
        _RUN,
        required("number", "bigint", "order within the run"),
        _KEY,
        _PROFILE,
        *_of_a_row(
            state="sending or removing (claimed, outcome open), delivered, rejected, dead or removed",
            time="changed_at",
            time_comment="when it was written down",
        ),
    ),
)

OPS_EXPORT_ROWS = Table(
    name="ops.export_rows",
    grain="one row per export and row the destination may hold or has refused: what the journal, ops.export_changes, comes to",
    people=(by("profile_id", By.ACTOR),),
    key=("export", "key"),
    holds_personal_data=True,  # likewise
    owner=OWNER,
    reads=(OPS_EXPORT_CHANGES.name,),
    columns=(
        _EXPORT,
        _KEY,
        _PROFILE,
        *_of_a_row(
            state="delivered, rejected, dead, or sending and removing where a run ended before the destination answered",
            time="updated_at",
            time_comment="when it was last written down",
        ),
    ),
)
