"""What must hold of the identity tables of a lake, whatever came and in whatever order."""

import pandas as pd

from lakehouse.identity.changes import fold
from lakehouse.identity.history import history
from lakehouse.identity.index import or_none
from lakehouse.identity.solve import solve
from lakehouse.identity.touched_components import SOLVED
from lakehouse.profiles.stitching.history_table import compare_history
from lakehouse.tables.identity import SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_LOG
from tests.lakehouse.identity.identity_graphs import RULES, actors_of, edges_of
from tests.lakehouse.identity.memory_lake import MemoryLake


def assert_equals_solve_of_everything(lake: MemoryLake, graph, rules=RULES) -> None:
    assert_map_is(lake, solve(edges_of(graph), actors_of(graph), rules))


def assert_map_is(lake: MemoryLake, expected: pd.DataFrame) -> None:
    columns = ["actor_id", *SOLVED]
    left, right = (rows[columns].astype(object).fillna("none") for rows in (lake.map, expected))
    pd.testing.assert_frame_equal(left, right)


def assert_log_and_history_tell_the_map(lake: MemoryLake) -> None:
    log = lake.rows(SILVER_IDENTITY_LOG)
    pd.testing.assert_frame_equal(fold(log), lake.map[["actor_id", "profile_id"]], check_dtype=False)
    assert set(compare_history(lake, history(log))["status"]) <= {"same"}
    assert_history_tiles(lake)


def assert_history_tiles(lake: MemoryLake) -> None:
    rows = lake.rows(SILVER_IDENTITY_HISTORY)
    columns = (rows["actor_id"].tolist(), rows["valid_from"].tolist(), or_none(rows["valid_to"]))
    told = list(zip(*columns, strict=True))
    for (actor, begins, ends), after in zip(told, [*told[1:], None], strict=True):
        is_last = after is None or after[0] != actor  # the last of an actor's is open
        assert ends is None if is_last else ends == after[1] > begins
