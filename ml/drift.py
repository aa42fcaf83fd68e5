"""Drift of features, scores, segment sizes and calibration, into ops.drift: see lakehouse/training/drift_watch.py.

    ./spark-submit.sh ml/drift.py

Prints what was looked at, most surprising first, and one JSON line. What drifted asks for trainings, in ops.drift; a job answers with --if-drifted. Exit
code 0 also where something drifted: that is news, and no fault of the job.
"""

from lakehouse.config import load
from lakehouse.job import flags, json_line, run
from lakehouse.lake.lock import DRIFT
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.spark.opened_lake import opened
from lakehouse.training.drift_watch import asked_for, keep, look, told


def main(argv: list[str]) -> None:
    flags(argv)
    with opened(load(), "drift", part=DRIFT) as lake:
        lake.require([GOLD_SEGMENTS])
        now = utc_now()
        rows = look(lake, now)
        keep(lake, rows, now)
    for row in rows:
        print(told(row))
    drifted = [f"{row['kind']} {row['subject']}" for row in rows if row["is_drifted"]]
    too_few = sum(row["is_drifted"] is None for row in rows)
    print(
        json_line(
            {
                "command": "drift",
                "looks": len(rows),
                "drifted": drifted,
                "too_few_rows": too_few,
                "asks_for": asked_for(rows),
            }
        )
    )


if __name__ == "__main__":
    run(main)
