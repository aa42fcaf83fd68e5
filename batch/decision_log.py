"""decision_log: what the decision service logged to Kafka, into silver.decision_log, each message once.

    ./spark-submit.sh batch/decision_log.py

Drains the topic and ends, see lakehouse/queries/decision_log.py. Ends with one JSON line.
"""

import json

from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.queries.decision_log import NAME, drained
from lakehouse.tables.decisions import SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE


def main(argv: list[str]) -> None:
    flags(argv)
    with drained(load(), NAME) as lake:
        counts = {
            table.name: lake.read(table).count() for table in (SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE)
        }
    print(json.dumps({"command": NAME, "rows": counts}))


if __name__ == "__main__":
    run(main)
