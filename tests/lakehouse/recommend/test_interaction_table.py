import numpy as np

from lakehouse.recommend.interactions import DAY_MS
from tests.lakehouse.recommend.shops import NOW, catalogue, table


def test_what_could_be_had_at_a_time_was_touched_before_it_and_not_too_long_before() -> None:
    rows = table(
        [(0, product, "view", NOW - days * DAY_MS, -1, -1) for product, days in ((0, 5), (1, 60), (2, -1))], 1, 4
    )
    known = catalogue(4, 2).known_at(rows, NOW, gone_days=30)
    np.testing.assert_array_equal(known.is_available, [True, False, False, False])
    np.testing.assert_array_equal(catalogue(4, 2).known_at(rows, NOW, gone_days=60).is_available[:2], [True, True])
