"""Fairness of offers and scores by the groups that conf declares, into ops.fairness: see lakehouse/training/fairness_audit.py.

    ./spark-submit.sh ml/fairness.py [--price] [--correct]

With --price also what a correction would cost and which thresholds it would set, by group. It is computed and written down, and nothing decides by it.
With --correct the champion of purchase_propensity is published anew, corrected by the groups that fairness.corrects names (lakehouse/training/fairness_correction.py), and its price printed. To
treat people by their group is for the owner, and their lawyer, to decide: while fairness.corrects is empty nothing is. Prints a line per group, and one JSON line.
"""

from lakehouse.config import load
from lakehouse.job import flags, json_line, run
from lakehouse.lake.lock import FAIRNESS
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.spark.opened_lake import opened
from lakehouse.training.fairness_audit import audits, keep, told
from lakehouse.training.fairness_correction import correct

PRICE, CORRECT = "--price", "--correct"


def main(argv: list[str]) -> None:
    asked = flags(argv, PRICE, CORRECT)
    with opened(load(), "fairness", part=FAIRNESS) as lake:
        if CORRECT in asked:
            made = correct(lake)
            print(f"{PURCHASE_PROPENSITY.model} {made.version} is champion: {made.line()}")
        rows = list(audits(lake, with_price=PRICE in asked))
        keep(lake, rows, utc_now())
        limit = lake.config.fairness.least_impact
    for row in rows:
        print(told(row))
    impacts = {
        f"{row['subject']} by {row['attribute']}": row.get("disparate_impact")
        for row in rows
        if "disparate_impact" in row
    }
    below = sorted(name for name, impact in impacts.items() if impact is not None and impact < limit)
    print(json_line({"command": "fairness", "looks": len(impacts), "least_impact": limit, "below": below}))


if __name__ == "__main__":
    run(main)
