"""What is to be done: the rows there are now, beside what the destination holds of each, by key. Pure; DuckDB joins them.

step       the row                                                                              what happens
send       new, changed, refused before, of open outcome; any that may leave, where all is asked for  sent
same       as the destination has it                                                            nothing
dead       refused too often, and not changed since                                             nothing
withhold   may not leave, and is not there                                                      nothing
remove     may not leave any more; or gone here, where the destination mirrors, or its profile is gone   taken from there
keep       gone here, and its profile is not                                                    nothing
forget     gone here, and never was there                                                       no longer written down
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from lakehouse.exports.mapping import HASH, KEY, PROFILE

STEPS = ("send", "same", "dead", "withhold", "remove", "keep", "forget")
HELD = pa.schema(
    [
        ("key", pa.string()),
        ("profile_id", pa.string()),
        ("state", pa.string()),
        ("hash", pa.string()),
        ("is_there", pa.bool_()),
        ("identity", pa.string()),
        ("attempts", pa.int64()),
        ("batch_id", pa.string()),
    ]
)
"""What the ledger says of each row."""

_SQL = f"""
SELECT coalesce(now.key, held.key) AS key, coalesce(now.profile_id, held.profile_id) AS profile_id, now.hash AS hash, now.number AS number,
  held.identity AS identity, coalesce(held.is_there, false) AS is_there, coalesce(held.attempts, 0) AS attempts,
  CASE WHEN held.state = 'sending' THEN held.batch_id END AS open_batch,
  CASE
    WHEN now.key IS NULL AND NOT held.is_there THEN 'forget'
    WHEN now.key IS NULL THEN CASE WHEN $mirrors OR held_refused.profile_id IS NOT NULL OR held.state = 'removing' THEN 'remove' ELSE 'keep' END
    WHEN refused.profile_id IS NOT NULL THEN CASE WHEN held.is_there THEN 'remove' ELSE 'withhold' END
    WHEN $all OR held.key IS NULL OR held.state IN ('sending', 'removing', 'rejected') THEN 'send'
    WHEN held.hash = now.hash THEN CASE held.state WHEN 'dead' THEN 'dead' ELSE 'same' END
    WHEN $inserts AND held.state = 'delivered' THEN 'same'
    ELSE 'send'
  END AS step
FROM (SELECT {KEY} AS key, {PROFILE} AS profile_id, {HASH} AS hash, number FROM now) now
FULL JOIN held ON now.key = held.key
LEFT JOIN refused ON refused.profile_id = now.profile_id
LEFT JOIN refused AS held_refused ON held_refused.profile_id = held.profile_id
ORDER BY 1
"""


def difference(
    now: pa.Table, held: pa.Table, refused: Mapping[str, str], *, mode: str, is_full: bool, takes_all: bool
) -> pa.Table:
    """key, profile_id, hash and number in `now` (null = gone here), identity, is_there, attempts, open_batch and step of every row, by key.

    Args:
        now: as `mapped`, without null keys, each key once.
        held: HELD.
        refused: profile -> why nothing may be told of it.
        mode: of the export.
        is_full: send every row, changed or not.
        takes_all: the destination is replaced as a whole: where anything changed, every row is sent.
    """
    with duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")
        numbered = now.select([KEY, PROFILE, HASH]).append_column("number", pa.array(range(now.num_rows), pa.int64()))
        database.register("now", numbered)
        database.register("held", held)
        database.register("refused", pa.table({PROFILE: pa.array(list(refused), pa.string())}))
        asked = {"mirrors": mode == "mirror", "inserts": mode == "insert"}
        steps = database.sql(_SQL, params=asked | {"all": is_full}).to_arrow_table()
        if takes_all and not is_full and _changes(steps):
            steps = database.sql(_SQL, params=asked | {"all": True}).to_arrow_table()
    return steps


def counts(steps: pa.Table) -> dict[str, int]:
    """How many rows have each step."""
    counted = {pair["values"]: pair["counts"] for pair in steps["step"].combine_chunks().value_counts().to_pylist()}
    return {step: counted.get(step, 0) for step in STEPS}


def _changes(steps: pa.Table) -> bool:
    return any(counts(steps)[step] for step in ("send", "remove"))
