"""What differs between rows as they were and as they are, against two dictionaries."""

import random
from typing import Any

import pyarrow as pa

from lakehouse.lake.row_differences import differences

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("share", pa.float64()),
        ("names", pa.list_(pa.string())),
        ("said", pa.struct([("text", pa.string())])),
        ("written", pa.int64()),
    ]
)
CONTENT = ("share", "names", "said")
NO_NUMBER = float("nan")


def drawn(chance: random.Random, written: int) -> dict[tuple[str, int], dict[str, Any]]:
    rows = {}
    for _ in range(30):
        key = chance.choice("abcdef"), chance.randrange(4)
        rows[key] = {
            "id": key[0],
            "at": key[1],
            "share": chance.choice([None, 0.0, 1.5, NO_NUMBER]),
            "names": chance.choice([None, [], ["x"], ["x", None]]),
            "said": chance.choice([None, {"text": None}, {"text": "y"}]),
            "written": written,
        }
    return rows


def test_rows_are_new_changed_or_gone_as_two_dictionaries_say() -> None:
    chance = random.Random(3)
    counts = [0, 0, 0, 0]
    for _ in range(40):
        before, after = drawn(chance, 1), drawn(chance, 2)
        was, is_now = (pa.Table.from_pylist(list(rows.values()), SCHEMA) for rows in (before, after))
        found = differences(was, is_now, ("id", "at"), CONTENT)
        told = [{(one["id"], one["at"].microsecond): one["written"] for one in rows.to_pylist()} for rows in found]
        same = {key for key in before.keys() & after.keys() if _content(before[key]) == _content(after[key])}
        expected = [after.keys() - before.keys(), (before.keys() & after.keys()) - same, before.keys() - after.keys()]
        assert [set(rows) for rows in told] == expected
        assert [set(rows.values()) for rows in told] == [{2}, {2}, {1}]
        counts = [count + len(rows) for count, rows in zip(counts, (*expected, same), strict=True)]
    assert min(counts) > 5


def _content(row: dict[str, Any]) -> str:
    return repr([row[name] for name in CONTENT])
