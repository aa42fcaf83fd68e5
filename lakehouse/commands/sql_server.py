"""The lake for BI tools: every table, and the views of conf/views, over Thrift and JDBC on this machine, until stopped.

./spark-submit.sh sql-server                        prints its JDBC address, then `ready`
./spark-submit.sh sql-server --with-personal-data   with the tables that hold it, for those alone whose work it is
./spark-submit.sh sql-server --print                the SQL that registers the same in a Hive metastore or Unity Catalog; serves nobody

Clients read and nothing else. See docs/bi.md.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

from lakehouse.bi import catalogue, read_only, server
from lakehouse.bi.registered import Registered
from lakehouse.bi.views import View, read_views
from lakehouse.catalog import TABLES
from lakehouse.config import Config, load
from lakehouse.config.paths import VIEWS
from lakehouse.job import READY, flags, run
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.machine import free_port, local_folder
from lakehouse.spark.session import get_session
from lakehouse.tables.contract import Table

NAME = "sql-server"
PERSONAL, PRINT = "--with-personal-data", "--print"


def main(argv: list[str]) -> None:
    given = flags(argv, PERSONAL, PRINT)
    config = load()
    tables, views = catalogue.shown(TABLES.values(), personal=PERSONAL in given), read_views(VIEWS, TABLES)
    if PRINT in given:
        print(*(f"{statement};" for statement in catalogue.statements(tables, views, path_in(config))), sep="\n")
        return
    if PERSONAL in given:
        audit.note_read(config, "sql-server with personal data", {})
    port = config.sql_server.port or free_port()
    server.require_free(port)  # before a JVM is started
    with tempfile.TemporaryDirectory(prefix="stitchlake-sql-server-") as scratch:
        serve(config, port, tables, views, Path(scratch))


def serve(config: Config, port: int, tables: list[Table], views: list[View], scratch: Path) -> None:
    """Serve until an exception, such as SIGTERM makes one."""
    lake = Lake(get_session(config, NAME, server.settings(scratch)), config)
    registered = Registered(lake, tables, views)
    registered.refresh()
    read_only.hold(lake.spark, registered)
    with server.serving(lake.spark, port) as address:
        missing = f"; not there yet: {', '.join(registered.missing)}" if registered.missing else ""
        print(f"{address}: {len(registered.tables)} tables, {len(registered.views)} views{missing}")
        print(READY, flush=True)
        while not Event().wait(config.sql_server.refresh_seconds):
            registered.refresh()


def path_in(config: Config) -> Callable[[Table], str]:
    """Where a table of the lake is stored."""
    root = str(local_folder(config.lake.root) or config.lake.root.rstrip("/"))
    return lambda table: f"{root}/{table.name.replace('.', '/')}"


if __name__ == "__main__":
    run(main)
