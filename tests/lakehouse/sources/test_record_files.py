"""Files as companies' tools write them: every record is read, and what is strange is a fault of its row."""

import gzip
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.config import load
from lakehouse.errors import SourceError
from lakehouse.sources.declaration import FileFormat
from lakehouse.sources.record import Record, fingerprint
from lakehouse.sources.record_files import record_of, records
from lakehouse.sources.tables_of_text import MOST_LINES
from tests.avro_records import field, record

CONFIG = load("dev", environ={})
ROWS = [{"id": "1", "name": "Ann, née Ü"}, {"id": "2", "name": 'say "hi"\nagain'}]


def read(folder: Path, data: bytes | str, **format_: Any) -> list[Record]:
    path = folder / "file"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(records(path, FileFormat(**format_), CONFIG))


def contents(folder: Path, data: bytes | str, **format_: Any) -> list[Any]:
    found = read(folder, data, **format_)
    assert [record.row for record in found] == list(range(1, len(found) + 1))
    return [record.content for record in found]


TABLE = 'id,name\n1,"Ann, née Ü"\n2,"say ""hi""\nagain"\n'


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        TABLE.replace("\n1", "\r\n1").replace("\n2", "\r\n2").encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("utf-16"),
        TABLE.encode("cp1252"),
        TABLE.replace(",", ";").replace("Ann; n", "Ann, n").encode(),
        TABLE.replace(",", "\t").replace("Ann\t n", "Ann, n").encode(),
        gzip.compress(TABLE.encode(), mtime=0),
        TABLE.replace("\n2", "\n\n2").encode(),
        TABLE.encode() + b",\n",
    ],
    ids=[
        "utf-8",
        "crlf",
        "byte order mark",
        "utf-16",
        "windows",
        "semicolons",
        "tabs",
        "gzip",
        "blank line",
        "blank cells",
    ],
)
def test_a_table_however_it_is_written(tmp_path: Path, data: bytes) -> None:
    assert contents(tmp_path, data) == ROWS


def test_lines_of_two_encodings_in_one_file(tmp_path: Path) -> None:
    assert contents(tmp_path, "id\nÜ\n".encode() + "é\n".encode("cp1252")) == [{"id": "Ü"}, {"id": "é"}]


def test_a_header_in_the_middle_holds_for_the_rows_below_it(tmp_path: Path) -> None:
    pasted = "id,name,city\n1,Ann,Bonn\nid,name,city\n2,Bob,Kiel\nname,id,town\nCai,3,Ulm\n"
    _, bob, other, cai = read(tmp_path, pasted)
    assert bob.content == {"id": "2", "name": "Bob", "city": "Kiel"}
    assert (other.fault, other.sent) == (
        "row: got another header, which names the columns of the rows below it, expected a record",
        "name\tid\ttown",
    )
    assert cai.content == {"name": "Cai", "id": "3", "town": "Ulm"}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("id,1,2,3,4,5", "7,1,2,1,3,2"),
        ("id,1,2,3,4,5", "1,1,2,1,3,2"),
        ("email,sms,push,post", "ann@x.de,push,sms,post"),
        ("date,red,blue", "2025-01-31,blue,red"),
        ("id,a,b,c,d,e", "a,b"),
    ],
)
def test_a_row_whose_cells_are_names_of_columns_too_is_no_header(tmp_path: Path, header: str, row: str) -> None:
    assert [one.content for one in read(tmp_path, f"{header}\n{row}\n")] == [
        dict(zip(header.split(","), row.split(","), strict=False))
    ]


def test_a_row_of_too_many_cells_is_a_fault_and_one_of_too_few_is_not(tmp_path: Path) -> None:
    short, long, _ = read(tmp_path, "a,b\n1\n1,2,3\n4,5,\n")
    assert short.content == {"a": "1"}
    assert (long.content, long.fault) == (None, "row: got 3 cells, expected the 2 of the header")


def test_ten_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(10_000)]
    (row,) = contents(tmp_path, ",".join(names) + "\n" + ",".join(map(str, range(10_000))) + "\n")
    assert (len(row), row["c9999"]) == (10_000, "9999")


def test_a_cell_without_end_is_a_fault_and_what_follows_is_read(tmp_path: Path) -> None:
    endless = "a,b\n1,2\n" + '"' + "x" * 1_100_000 + "\n3,4\n"
    first, fault, *rest = read(tmp_path, endless)
    assert first.content == {"a": "1", "b": "2"}
    assert fault.fault is not None
    assert [one.content for one in rest] == [{"a": "3", "b": "4"}]


@pytest.mark.parametrize("rows_after", [3, 2 * MOST_LINES])
@pytest.mark.parametrize("last", ["", '7,"x, y"\n', '7,"x\ny"\n'], ids=["no quote", "a quote", "a line end"])
def test_a_quote_that_is_not_closed_takes_no_row_but_its_own(tmp_path: Path, rows_after: int, last: str) -> None:
    table = 'id,name\n1,"Ann\n' + "2,Bob\n" * rows_after + last
    fault, *rest = read(tmp_path, table)
    assert (fault.content, fault.sent) == (None, '1,"Ann')
    assert str(fault.fault).startswith("row: cells that can be read expected (")
    assert [one.content for one in rest[:rows_after]] == [{"id": "2", "name": "Bob"}] * rows_after
    assert len(rest) == rows_after + (1 if last else 0)


def test_names_of_columns(tmp_path: Path) -> None:
    assert contents(tmp_path, "First Name,E-Mail,,E-Mail\na,b,c,d\n", header="snake_case") == [
        {"first_name": "a", "e_mail": "b", "column_3": "c", "e_mail_2": "d"}
    ]
    assert contents(tmp_path, "1\t2\n", columns=("a", "b"), delimiter="\t") == [{"a": "1", "b": "2"}]
    assert contents(tmp_path, "€,Email,$,$\na,b,c,d\n", header="snake_case") == [
        {"column_1": "a", "email": "b", "column_3": "c", "column_4": "d"}
    ]


def test_rows_of_one_record_are_one(tmp_path: Path) -> None:
    table = "Name,Total,Sku\n#1,9,a\n#1,,b\n#2,5,c\n,1,d\n,2,e\n"
    first, second, *alone = (record.content or {} for record in read(tmp_path, table, group_by="Name"))
    assert (first["Total"], [row["Sku"] for row in first["rows"]]) == ("9", ["a", "b"])
    assert second["Total"] == "5"
    assert [one["Total"] for one in alone] == ["1", "2"]


def test_rows_of_one_record_that_do_not_stand_together_are_faults_and_a_fault_between_them_is_none(
    tmp_path: Path,
) -> None:
    table = "Name,Total,Sku\n#1,9,a\n1,2,3,4\n#1,,b\n#2,5,c\n#1,,d\n#1,,e\n#2,,f\n"
    found = read(tmp_path, table, group_by="Name")
    whole = {one.content["Name"]: [row["Sku"] for row in one.content["rows"]] for one in found if one.content}
    assert whole == {"#1": ["a", "b"], "#2": ["c"]}
    apart = "Name: the rows of one record together expected. Sort the file by it"
    assert [(one.fault, one.sent) for one in found if one.fault] == [
        ("row: got 4 cells, expected the 3 of the header", "1\t2\t3\t4"), (apart, "#1\t\td"), (apart, "#1\t\te"), (apart, "#2\t\tf"),
    ]  # fmt: skip
    assert sorted(one.row for one in found) == [1, 2, 4, 5, 6, 7]


def test_lines_that_end_as_on_an_old_mac(tmp_path: Path) -> None:
    assert contents(tmp_path, TABLE.replace("\n", "\r")) == [ROWS[0], {"id": "2", "name": 'say "hi"\ragain'}]
    assert contents(tmp_path, b"id\r\xc3\x9c\r" + b"x" * 70_000 + b"\r\xe9") == [
        {"id": "Ü"}, {"id": "x" * 70_000}, {"id": "é"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(json.dumps(row) for row in ROWS),
        "\r\n \n" + json.dumps(ROWS),
        "\n" + "\n".join(json.dumps(row) for row in ROWS),
        "\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n",
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2, ensure_ascii=False),
        "".join(json.dumps(row, indent=1) for row in ROWS),
        json.dumps({"next": None, "orders": ROWS}),
    ],
    ids=[
        "lines",
        "array below blanks",
        "lines below a blank",
        "lines with marks",
        "array",
        "array over lines",
        "objects over lines",
        "in an object",
    ],
)
def test_json_however_it_is_arranged(tmp_path: Path, data: str) -> None:
    assert contents(tmp_path, data, records=("orders",)) == ROWS


def test_an_array_longer_than_a_piece_of_it(tmp_path: Path) -> None:
    rows = [{"n": n, "text": "ü" * 1000} for n in range(1500)]
    assert contents(tmp_path, json.dumps(rows, ensure_ascii=False)) == rows


def test_json_that_is_none_is_a_fault_of_its_line(tmp_path: Path) -> None:
    good, broken, twice, number, last = read(tmp_path, '{"a":1}\n{"a":\n{"a":1,"a":2}\n7\n{"a":12345678901234567890}\n')
    assert good.content == {"a": 1}
    assert [record.content for record in (broken, twice, number)] == [None] * 3
    assert "malformed_json" in str(broken.fault)
    assert "duplicate_keys" in str(twice.fault)
    assert last.content == {"a": 12345678901234567890}


@pytest.mark.parametrize("pad", [0, 2_000_000], ids=["at once", "in pieces"])
@pytest.mark.parametrize(
    "broken",
    [
        '{"n": 12,50, "of": {"a": 9}, "lines": [{"a": 7}, {"a": 8}]}', '{"s": "]}\\"}", }', '{"s": "x" "y"}', "{oops}", "oops", "}",
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["a comma in a number", "brackets in text", "no comma", "no name", "a word", "a bracket", "deep"],
)  # fmt: skip
def test_an_element_of_an_array_that_cannot_be_read_is_a_fault_and_reading_goes_on(
    tmp_path: Path, broken: str, pad: int
) -> None:
    rest = [{"a": number, "text": "x" * (pad // 5)} for number in range(2, 7)]
    first, fault, *others = read(tmp_path, f'[{{"a": 1}},\n{broken},\n{json.dumps(rest)[1:]}')
    assert (first.content, fault.content, fault.sent) == ({"a": 1}, None, broken)
    assert [one.content for one in others] == rest


@pytest.mark.parametrize("end", ['{"a":2', '{"a":"2},{"a":3}]'], ids=["it breaks off", "a quote that is not closed"])
def test_an_array_of_which_nobody_knows_where_it_goes_on_is_told_with_the_place(tmp_path: Path, end: str) -> None:
    path = tmp_path / "file"
    path.write_text(f'[{{"ä":1}},{end}', encoding="utf-8")
    found = records(path, FileFormat(), CONFIG)
    assert next(found).content == {"ä": 1}
    with pytest.raises(SourceError, match=r"no JSON from byte 10 on"):
        next(found)


def test_an_empty_page_has_no_records(tmp_path: Path) -> None:
    assert read(tmp_path, '{"orders": []}', records=("orders",)) == []
    assert contents(tmp_path, '{"orders": [], "next": 1}\n{"orders": [{"a": 1}]}\n', records=("orders",)) == [{"a": 1}]
    assert contents(tmp_path, '{"a": 1}', records=("orders",)) == [{"a": 1}]


def test_a_row_whose_cell_holds_no_records_is_one_and_keeps_its_number(tmp_path: Path) -> None:
    format_ = FileFormat(records=("order",))
    (tmp_path / "a.csv").write_text('id,order\n1,[]\n2,"{""id"": 3}"\n')
    pq.write_table(pa.table({"id": [1, 2], "order": [[], [{"id": 3}]]}), tmp_path / "a.parquet")
    for name, first in (("a.csv", {"id": "1", "order": "[]"}), ("a.parquet", {"id": 1, "order": []})):
        found = list(records(tmp_path / name, format_, CONFIG))
        assert [(one.row, one.content) for one in found] == [(1, first), (2, {"id": 3})]


def test_records_stand_in_the_lists_of_several_pages(tmp_path: Path) -> None:
    pages = [{"orders": [{"id": 1}, {"id": 2}]}, {"orders": []}, {"orders": None}, {"orders": [{"id": 3}]}]
    found = contents(tmp_path, json.dumps({"pages": pages}), records=("pages[].orders",))
    assert found == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert read(tmp_path, json.dumps({"pages": pages[1:2] * 2}), records=("pages[].orders",)) == []


def test_parquet_is_as_json_would_have_it(tmp_path: Path) -> None:
    rows = [
        {
            "at": datetime(2025, 1, 31, 10, tzinfo=UTC),
            "money": Decimal("1.10"),
            "params": [{"key": "a", "value": 1}],
            "raw": b"x",
            "unmarked": {"list": [{"element": {"sku": "s"}}]},
        },
        {"at": None, "money": None, "params": [], "raw": None, "unmarked": None},
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    first, _ = records(path, FileFormat(), CONFIG)
    assert first.content == {
        "at": "2025-01-31T10:00:00+00:00", "money": Decimal("1.10"), "params": [{"key": "a", "value": 1}], "raw": "x",
        "unmarked": [{"sku": "s"}],
    }  # fmt: skip


def test_a_cell_of_parquet_that_python_has_no_value_for_is_a_fault_of_its_row(tmp_path: Path) -> None:
    far = 400_000_000_000_000_000  # microseconds: the year 14645
    table = pa.table({"id": ["a", "b", "c"], "at": pa.array([0, far, None], pa.timestamp("us", tz="UTC"))})
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path)
    first, fault, last = records(path, FileFormat(), CONFIG)
    assert (first.row, first.content) == (1, {"id": "a", "at": "1970-01-01T00:00:00+00:00"})
    assert (fault.row, fault.content, fault.fault) == (2, None, "at: a value that can be read expected")
    assert '"id":"b"' in str(fault.sent)
    assert (last.row, last.content) == (3, {"id": "c", "at": None})


def test_a_row_of_parquet_is_an_object_and_one_that_nests_too_deep_is_told(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(101):
        deep = [deep]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"list": [[], [{"element": 1}]]}), path)
    assert [one.content for one in records(path, FileFormat(), CONFIG)] == [{"list": []}, {"list": [{"element": 1}]}]
    pq.write_table(pa.table({"id": ["a", "b"], "it": [deep, None]}), path)
    first, second = records(path, FileFormat(), CONFIG)
    assert (first.fault, second.content) == ("it: a value that can be read expected", {"id": "b", "it": None})


def test_a_record_is_found_in_each_wrapping_and_heard_with_what_stands_beside_it(tmp_path: Path) -> None:
    wrapped = '{"order": {"a": 1}}\n{"detail": {"payload": {"a": 2}}}\n{"orders": [{"a": 3}, 4]}\n{"a": 5}\n'
    found = read(tmp_path, wrapped, records=("orders", "order", "detail.payload"))
    assert [one.content and one.content["a"] for one in found] == [1, 2, 3, None, 5]
    assert [one.row for one in found] == [1, 2, 3, 4, 5]
    batch = '{"batch": [{"id": 1}, {"id": 2, "at": null, "context": {"ip": "own"}}], "at": "t", "key": "k", "context": {"ip": "x", "app": {"b": 2}}}'
    first, second = contents(tmp_path, batch, records=("batch",), shared=("at", "context"))
    assert first == {"id": 1, "at": "t", "context": {"ip": "x", "app": {"b": 2}}}
    assert second == {"id": 2, "at": "t", "context": {"ip": "own", "app": {"b": 2}}}


def test_a_record_is_found_in_whatever_format_its_wrapping_is(tmp_path: Path) -> None:
    rows = [{"order": {"a": n}, "shop": "x"} for n in (1, 2)]
    format_ = FileFormat(records=("orders", "order"), shared=("shop",))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text('shop,order\nx,"{""a"": 1}"\nx,"{""a"": 2}"\n')
    schema = record(field("order", record(field("a", "int"), name="Inner")), field("shop", "string"))
    with (tmp_path / "a.avro").open("wb") as file:
        fastavro.writer(file, schema, rows)
    for name in ("a.parquet", "a.csv", "a.avro"):
        assert [one.content for one in records(tmp_path / name, format_, CONFIG)] == [
            {"a": 1, "shop": "x"},
            {"a": 2, "shop": "x"},
        ]


def test_names_are_brought_into_one_spelling_in_whatever_format_they_are(tmp_path: Path) -> None:
    names = ["CUSTOMER_ID", "E-Mail", "firstName", "First Name", "first_name_2"]
    row = dict(zip(names, "abcde", strict=True))
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_bytes(json.dumps(row).encode())
    (tmp_path / "a.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    format_ = FileFormat(header="snake_case")
    read_as = {"customer_id": "a", "e_mail": "b", "first_name": "c", "first_name_2": "d", "first_name_2_2": "e"}
    for name in ("a.parquet", "a.json", "a.csv"):
        assert [one.content for one in records(tmp_path / name, format_, CONFIG)] == [read_as]
    assert record_of(json.dumps(row).encode(), format_, CONFIG).content == read_as


def test_a_message_of_a_topic_holds_one_record() -> None:
    format_ = FileFormat(records=("orders", "order"))
    for sent in (
        b'{"order": {"a": 1}}',
        b'{"orders": [{"a": 1}]}',
        b'{"a": 1}',
        b'{"orders": null, "order": {"a": 1}}',
        b'{"orders": [], "order": "{\\"a\\": 1}"}',
    ):
        assert record_of(sent, format_, CONFIG).content == {"a": 1}
    for sent in (b'{"orders": [{"a": 1}, {"a": 2}]}', b'{"orders": []}'):
        assert "expected one" in str(record_of(sent, format_, CONFIG).fault)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\0",
        b"BZh91AY",
        b"\xd0\xcf\x11\xe0\xa1\xb1",
        gzip.compress(b"id\n1\n", mtime=0),
        b"PAR1\0",
        b"%PDF-1.7",
        b"SQLite format 3\0",
        b"<!DOCTYPE html>",
    ],
)
def test_a_file_of_another_kind_is_told_and_no_table_of_nothing(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match="it is "):
        read(tmp_path, gzip.compress(data))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_page_and_xml_are_told_apart(tmp_path: Path, encoding: str) -> None:
    start = '<?xml version="1.0"?>\n'
    for text, told in (
        ("\n<!DOCTYPE html>a,b", "a page"),
        (f"{start}<html>a,b", "a page"),
        (f"{start}<a>b,c</a>", "XML"),
    ):
        with pytest.raises(SourceError, match=f"it is {told}"):
            read(tmp_path, text.encode(encoding))


def test_a_list_that_breaks_off_is_told_behind_what_it_holds(tmp_path: Path) -> None:
    for data in ('[{"a": 1},\n{"a": 2},', "[", '[[{"a": 1}]'):
        with pytest.raises(SourceError, match="a list without an end"):
            read(tmp_path, data)


@pytest.mark.parametrize("data", ['[{"a": "ü"}, {"a": "b"}]', '{"a": "ü"}\r\n{"a": "b"}\r\n', "a\r\nü\r\nb\r\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_any_text_is_read_in_utf_16_with_and_without_its_mark(tmp_path: Path, data: str, encoding: str) -> None:
    assert contents(tmp_path, data.encode(encoding)) == [{"a": "ü"}, {"a": "b"}]


def test_a_sequence_of_json_texts(tmp_path: Path) -> None:
    for data in ('\x1e{"a": 1}\n\x1e{"a": 2}\n', '\x1e{\n"a": 1\n}\n\x1e{\n"a": 2\n}\n'):
        assert contents(tmp_path, data) == [{"a": 1}, {"a": 2}]


def test_a_map_of_parquet_is_an_object_and_one_with_a_key_twice_is_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    cells = [[("a", 1), ("b", None)], None, [("a", 1), ("a", 2)]]
    pq.write_table(pa.table({"id": [1, 2, 3], "own": pa.array(cells, pa.map_(pa.string(), pa.int64()))}), path)
    first, second, third = records(path, FileFormat(), CONFIG)
    assert (first.content, second.content) == ({"id": 1, "own": {"a": 1, "b": None}}, {"id": 2, "own": None})
    assert third.fault == "own: a value that can be read expected"
    by_struct = pa.array([[({"a": 1}, "x")], []], pa.map_(pa.struct([("a", pa.int64())]), pa.string()))
    by_bytes = pa.array([[(b"a", "x")], [(b"\xff", "x")]], pa.map_(pa.binary(), pa.string()))
    pq.write_table(pa.table({"id": [1, 2], "own": by_struct, "more": by_bytes}), path)
    first, second = records(path, FileFormat(), CONFIG)
    assert (first.fault, second.content) == (
        "own: a value that can be read expected",
        {"id": 2, "own": {}, "more": {"ff": "x"}},
    )
    assert '"more":{"a":"x"}' in str(first.sent)


def test_a_table_of_spark_or_a_database_is_read_as_it_was_meant(tmp_path: Path) -> None:
    table = 'id,name\n1,"Peter \\"Pit\\" P"\n2,\\N\n3,"a ""b"" \\"\n4,"broken " one\\"\n'
    found = read(tmp_path, table)
    assert [one.content for one in found] == [
        {"id": "1", "name": 'Peter "Pit" P'}, {"id": "2", "name": ""}, {"id": "3", "name": 'a "b" \\'}, None,
    ]  # fmt: skip


def test_a_backslash_is_itself_but_before_a_quote(tmp_path: Path) -> None:
    table = (
        'id,name,more\n1,"say \\"hi\\"",\\N\n2,"\\"hi\\"","C:\\temp"\n3,"\\\\\\"a\\" b","c\\\\"\n'
        '4,"one \\"a\\"\ntwo","x"\n5,"three\nfour \\"b\\"",y\n6,"\\"never closed\n7,a,b\n'
    )
    found = read(tmp_path, table)
    assert [one.content and list(one.content.values())[1:] for one in found] == [
        ['say "hi"', ""], ['"hi"', "C:\\temp"], ['\\"a" b', "c\\"], ['one "a"\ntwo', "x"], ['three\nfour "b"', "y"], None, ["a", "b"],
    ]  # fmt: skip
    assert found[5].sent == '6,"\\"never closed'


def test_the_line_that_is_for_excel_alone_says_the_mark(tmp_path: Path) -> None:
    for start, mark in (("sep=;\r\n", ";"), ('"SEP=|"\n', "|"), ("sep=\t\n", "\t")):
        assert contents(tmp_path, f"{start}id{mark}a,b\n1{mark}x,y\n") == [{"id": "1", "a,b": "x,y"}]


def test_a_folder_of_parquet_has_the_columns_of_each_of_its_files(tmp_path: Path) -> None:
    for day, rows in (("1", [{"a": 1}]), ("2", [{"a": "x", "b": [1]}])):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / "part.parquet")
    found = [(one.row, one.content) for one in records(tmp_path, FileFormat(), CONFIG)]
    assert found == [(1, {"a": 1, "day": 1}), (2, {"a": "x", "b": [1], "day": 2})]


def test_an_apostrophe_that_marks_a_cell_as_text_is_no_part_of_it(tmp_path: Path) -> None:
    (row,) = contents(tmp_path, "id,zip,phone,name,year,sum\n'7007,'01067,'+43 664 1234567,'t Hooft,'90s,'=1+1\n")
    assert list(row.values()) == ["7007", "01067", "+43 664 1234567", "'t Hooft", "'90s", "'=1+1"]
    (row,) = contents(tmp_path, 'zip,sum\n="01067",=A1+1\n')
    assert row == {"zip": "01067", "sum": "=A1+1"}


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == []
    assert read(tmp_path, b"a,b\n") == []


SPOILT = bytearray(gzip.compress(TABLE.encode(), mtime=0))
SPOILT[20:30] = b"\xff" * 10


@pytest.mark.parametrize(
    "data",
    [b"PAR1 and no more", gzip.compress(TABLE.encode(), mtime=0)[:30], bytes(SPOILT)],
    ids=["parquet", "gzip that breaks off", "gzip that is spoilt"],
)
def test_a_file_that_is_not_what_it_begins_like_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path, data)


def test_an_encoding_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="unknown encoding"):
        read(tmp_path, b"a\n1\n", encoding="klingon")


def test_one_message_of_a_topic() -> None:
    assert record_of(b'{"a": 1}', FileFormat(), CONFIG).content == {"a": 1}
    assert record_of(b"1\t2", FileFormat(columns=("a", "b"), delimiter="\t", quote=""), CONFIG).content == {
        "a": "1",
        "b": "2",
    }
    assert record_of(b"\xff", FileFormat(), CONFIG).fault is not None


def test_a_record_knows_when_its_file_was_written_and_says_the_same_without_it(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id\n7\n")
    os.utime(path, ns=(0, 1_764_547_200_123_456_789))
    (dated,) = records(path, FileFormat(), CONFIG)
    assert dated.file_time == 1_764_547_200_123_456
    assert fingerprint(dated) == fingerprint(dated._replace(file_time=None))
