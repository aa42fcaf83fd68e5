"""Contract of ops.data_quality: what was expected of tables, and what was found."""

from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

OPS_DATA_QUALITY = Table(
    name="ops.data_quality",
    grain="one row per table, expectation and window in which rows came",
    people=Nobody("of counts of rows"),
    key=("table_name", "expectation", "window_start"),
    owner="streaming/events.py",
    reads=("silver.events", "gold.rfm", "gold.scores", "gold.activation"),
    columns=(
        required("table_name", "string", "table whose rows were looked at"),
        required("expectation", "string", "name of the expectation, as its contract declares it; `volume` counts rows, `hourly_volume` judges them"),
        required("action", "string", "what follows when it is broken: warn, quarantine or stop"),
        required("row_count", "bigint", "rows it concerns that came in the window; a replay counts again"),
        required("broken_count", "bigint", "rows of them that break it; 0 of a volume"),
        optional(
            "share",
            "double",
            "broken_count of row_count; of hourly_volume, row_count of what is usual at that hour; null = nothing to divide by",
        ),
        optional("least", "double", "smallest share that is expected; null = none"),
        optional("most", "double", "largest share that is expected; null = none"),
        optional("is_met", "boolean", "whether the share is as expected; null = too few rows, or too few days, to say"),
        required("window_start", "timestamp", "when the first of the rows came; of hourly_volume, the hour"),
        required("window_end", "timestamp", "when the last of the rows came; of hourly_volume, the end of the hour"),
        write_time("judged_at", "when the row was written"),
    ),
)  # fmt: skip
