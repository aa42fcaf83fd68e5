from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from lakehouse.catalog import TABLES
from lakehouse.errors import RuleError
from lakehouse.exports.mapping import HASH, KEY, RowMapping, mapped, mapping_of

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = pa.table(
    {
        "profile_id": ["ann", "bob", "cat"],
        "segment": ["loyal", None, "new"],
        "frequency": pa.array([3, 0, 1], pa.int64()),
        "monetary": pa.array([Decimal("12.50"), Decimal("0.00"), Decimal("1.00")], pa.decimal128(18, 2)),
        "last_order_at": pa.array([AT, None, AT], pa.timestamp("us", tz="UTC")),
        "user_ids": pa.array([["u1"], [], ["u2", "u3"]], pa.list_(pa.string())),
    }
)


def mapping(columns: dict[str, str], key: tuple[str, ...] = ("id",), where: str | None = None) -> RowMapping:
    return mapping_of([TABLES["gold.activation"]], {"id": "profile_id", **columns}, key, where)


def test_columns_keep_their_type_and_expressions_are_those_of_rules() -> None:
    columns = {
        "value": "monetary",
        "each": "monetary / frequency",
        "tier": "case when frequency > 2 then 'often' when frequency > 0 then 'some' end",
        "has_name": "segment is not null",
        "due": "last_order_at + interval 1 day",
        "users": "user_ids",
    }
    made = mapped(ROWS, mapping(columns), secret=b"k")
    assert made["=value"].type == pa.decimal128(18, 2)
    assert made["=each"].to_pylist() == [pytest.approx(12.5 / 3), None, 1.0]
    assert made["=tier"].to_pylist() == ["often", None, "some"]
    assert made["=has_name"].to_pylist() == [True, False, True]
    assert made["=due"].to_pylist() == [datetime(2026, 3, 2, tzinfo=UTC), None, datetime(2026, 3, 2, tzinfo=UTC)]
    assert made["=users"].to_pylist() == [["u1"], [], ["u2", "u3"]]
    assert made[KEY].to_pylist() == ["ann", "bob", "cat"]


def test_only_rows_for_which_the_filter_is_true_are_there() -> None:
    assert mapped(ROWS, mapping({}, where="segment <> 'new'"), secret=b"k")[KEY].to_pylist() == ["ann"]


def test_a_hash_follows_what_is_said_and_under_which_name_and_needs_our_key() -> None:
    def hashes(columns: dict[str, str], secret: bytes = b"k", rows: pa.Table = ROWS) -> list[str]:
        return list(mapped(rows, mapping(columns), secret=secret)[HASH].to_pylist())

    same = hashes({"v": "segment"})
    assert hashes({"v": "segment"}) == same
    other = ROWS.set_column(2, "frequency", pa.array([9, 9, 9], pa.int64()))
    assert hashes({"v": "segment"}, rows=other) == same, "what is not mapped does not count"
    assert hashes({"w": "segment"}) != same
    assert hashes({"v": "segment"}, secret=b"other") != same
    assert len(set(same)) == 3
    as_text = ROWS.set_column(3, "monetary", ROWS["monetary"].cast(pa.string()))
    assert hashes({"v": "monetary"}) != hashes({"v": "monetary"}, rows=as_text), "12.50 is another thing than a text"


def test_a_key_of_several_columns_is_json_null_is_none_and_a_list_is_refused() -> None:
    made = mapped(
        ROWS, mapping({"orders": "frequency", "segment": "segment"}, key=("id", "orders", "segment")), secret=b"k"
    )
    assert made[KEY].to_pylist() == ['["ann",3,"loyal"]', None, '["cat",1,"new"]']
    with pytest.raises(RuleError, match="key: 'users' is a list"):
        mapping({"users": "user_ids"}, key=("users",))


@pytest.mark.parametrize(
    ("columns", "where", "told"),
    [
        ({"x": "segmnt"}, None, "columns.x: unknown column 'segmnt'; did you mean 'segment'"),
        ({"x": "md5(segment)"}, None, "columns.x: .*not allowed"),
        ({}, "frequency", "where: got a number"),
        ({"x": "segment + 1"}, None, "columns.x: .*cannot take"),
    ],
)
def test_an_expression_that_cannot_be_used_is_told_with_its_place(
    columns: dict[str, str], where: str | None, told: str
) -> None:
    with pytest.raises(RuleError, match=told):
        mapping(columns, where=where)
