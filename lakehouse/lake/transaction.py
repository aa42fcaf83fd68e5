"""What a table takes once: a batch of a writer, noted by Delta in the commit that holds its rows.

https://docs.delta.io/latest/delta-streaming.html#idempotent-table-writes-in-foreachbatch
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from lakehouse.tables.contract import Table


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """One batch. `application`: its writer, whose batches are numbered upwards."""

    application: str
    batch_id: int

    def of(self, table: Table) -> str:
        """The writer's name in the log of that table."""
        return writer_in(table, self.application)


def writer_in(table: Table, application: str) -> str:
    """The name of a writer in the log of the table."""
    return f"{application}:{table.name}"


def transaction(query: str, rows: DataFrame, batch_id: int) -> Transaction:
    """Of a query's foreachBatch, given the batch's rows.

    A new checkpoint is a new query and counts its batches from 0 again: they must not be taken for the old one's.
    """
    return Transaction(application=application(query, run_of(rows)), batch_id=batch_id)


def run_of(rows: DataFrame) -> str:
    """The id that Spark gave the checkpoint of the query whose batch these rows are."""
    run = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
    assert run is not None
    return run


def application(query: str, run: str) -> str:
    """The writer's name. `run`: the id that Spark gives a checkpoint."""
    return f"{query}:{run}"
