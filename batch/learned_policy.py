"""learned_policy: what the policy learned, built again from silver.decision_log, or compared with it.

    ./spark-submit.sh batch/learned_policy.py
    ./spark-submit.sh batch/learned_policy.py --check

For a store that was lost or damaged, and for a policy or a reward metric that is new: what was shown before counts for it, too. May
run while the service does. Drains the decision log first. Ends with one JSON line; --check changes nothing, and exits with 1
where the two differ: messages of the log were lost, or the store was.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse.config import Config, load
from lakehouse.job import flags, run
from lakehouse.learning.learned_store import LearnedStore, policy_of
from lakehouse.learning.logged_exposures import COLUMNS, logged_exposures
from lakehouse.learning.reward import Reward
from lakehouse.online.engines import open_kept_store
from lakehouse.tables.decisions import SILVER_DECISION_LOG

NAME = "learned_policy"


def rebuilt(config: Config, rows: Iterable[Mapping[str, Any]], now_ms: int, *, is_check: bool) -> dict[str, Any]:
    """What is told at the end. `rows`: lakehouse/learning/logged_exposures.py. `is_check`: nothing is written."""
    reward = Reward.of(config.serving)
    store = open_kept_store(config)
    try:
        learned_store = LearnedStore(store, policy_of(config.serving), reward)
        from_log = logged_exposures(rows, reward)
        if not is_check:
            learned = learned_store.rebuild(from_log, now_ms)
            later = len(from_log.exposures) - learned.count
            return {"policy": learned_store.key, "exposures": learned.count, "waiting": later}
        held = learned_store.read()
        expected = learned_store.of_log(from_log, held.through)
        return {
            "policy": learned_store.key,
            "exposures": held.count,
            "exposures_of_log": expected.count,
            "is_equal": held.state.to_json() == expected.state.to_json(),
        }
    finally:
        store.close()


def main(argv: list[str]) -> int:
    options = flags(argv, "--check")
    from lakehouse.queries.decision_log import drained  # here: flags are checked before Spark starts

    with drained(load(), NAME) as lake:
        log = lake.read(SILVER_DECISION_LOG).where("kind <> 'decision' and experiment is null").select(*COLUMNS)
        rows = (row.asDict() for row in log.toLocalIterator())
        found = rebuilt(lake.config, rows, int(time.time() * 1000), is_check="--check" in options)
    print(json.dumps({"command": NAME, **found}))
    return 0 if found.get("is_equal", True) else 1


if __name__ == "__main__":
    run(main)
