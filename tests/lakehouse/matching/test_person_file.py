import datetime
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import SourceError
from lakehouse.matching.person_file import PersonRecords, anonymous_id, messages, read_people


def _file(folder, text, name="people.csv", encoding="utf-8"):
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def _read(folder, text, *, truth=None, mapping=(), encoding="utf-8"):
    return read_people([_file(folder, text, encoding=encoding)], "id", truth, list(mapping))


PLAIN = PersonRecords(
    ids=["1", "2"],
    traits={"first_name": ["Zoë", "Bob"], "dob": ["1985-01-05", None]},
    kinds={"first_name": "given_name", "dob": "date"},
    truth=None,
)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,first_name,dob\n1,Zoë,1985-01-05\n2,Bob,\n", "utf-8"),
        ("id;first_name;dob\n1;Zoë;1985-01-05\n2;Bob;\n", "utf-8"),
        ("id\tfirst_name\tdob\n1\tZoë\t1985-01-05\n2\tBob\t\n", "utf-8"),
        ("id|first_name|dob\r\n1|Zoë|1985-01-05\r\n2|Bob|\r\n", "utf-8"),
        ("id,first_name,dob\n1,Zoë,1985-01-05\n2,Bob,\n", "utf-8-sig"),
        ("id,first_name,dob\n1,Zoë,1985-01-05\n2,Bob,\n", "latin-1"),
        ("id, first_name, dob\n1, Zoë, 1985-01-05\n2, Bob, \n", "utf-8"),
        ('"id","first_name","dob"\n"1","Zoë","1985-01-05"\n"2","Bob","  "', "utf-8"),
    ],
)
def test_a_csv_of_any_common_form_is_read(tmp_path, text, encoding):
    assert _read(tmp_path, text, encoding=encoding) == PLAIN


def test_a_quoted_value_may_hold_the_separator_and_numbers_stay_texts(tmp_path):
    people = _read(tmp_path, 'id,street,zip\n1,"Main St 1, left",01234\n')
    assert people.traits == {"street": ["Main St 1, left"], "zip": ["01234"]}


def test_parquet_with_numbers_and_dates_is_read_as_text(tmp_path):
    table = pa.table(
        {
            "id": [1, 2],
            "dob": [datetime.date(1985, 1, 5), None],
            "zip": pa.array([98101.0, None]),
            "house_number": pa.array([7, None], pa.int64()),
            "share": [0.5, 2.0],
            "account": [Decimal("1.50"), None],
        }
    )
    pq.write_table(table, tmp_path / "people.parquet")
    people = read_people([tmp_path / "people.parquet"], "id", None, [])
    assert people.ids == ["1", "2"]
    assert people.traits == {
        "dob": ["1985-01-05", None],
        "zip": ["98101", None],
        "house_number": ["7", None],
        "share": ["0.5", "2"],
        "account": ["1.50", None],
    }


def test_two_files_are_one_table(tmp_path):
    one = _file(tmp_path, "id,city,zip\n1,Bonn,53111\n", "one.csv")
    other = _file(tmp_path, "id,city\n2,Ulm\n", "other.csv")
    people = read_people([one, other], "id", None, [])
    assert people.ids == ["1", "2"]
    assert people.traits == {"city": ["Bonn", "Ulm"], "zip": ["53111", None]}


def test_the_person_is_a_column_that_is_not_compared(tmp_path):
    people = _read(tmp_path, "id,city,person\n1,Bonn,a\n2,Ulm,a\n", truth="person")
    assert people.truth == ["a", "a"]
    assert list(people.traits) == ["city"]


def test_the_person_may_stand_within_the_id_or_another_column(tmp_path):
    text = "id,city,label\nrec-7-org,Bonn,p1/x\nrec-7-dup-0,Ulm,p2/y\n"
    assert _read(tmp_path, text, truth=r"id=rec-(\d+)-").truth == ["7", "7"]
    people = _read(tmp_path, text, truth=r"label=(p\d)")
    assert people.truth == ["p1", "p2"]
    assert list(people.traits) == ["city"]


def test_a_mapping_chooses_names_and_kinds(tmp_path):
    text = "id,a,b,c\n1,Ann,98101,x\n"
    people = _read(tmp_path, text, mapping=["a=firstName", "b=Plz:code", " c =remark:text"])
    assert people.kinds == {"first_name": "given_name", "plz": "code", "remark": "text"}
    assert people.traits == {"first_name": ["Ann"], "plz": ["98101"], "remark": ["x"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mapping": ["city"]}, "--map city: got no trait, expected column=trait"),
        ({"mapping": ["cty=town"]}, "--map cty: no such column.*did you mean 'city'"),
        ({"mapping": ["city=town:place"]}, "--map city=town:place: got kind 'place', expected one of .*'address'"),
        ({"mapping": ["city=home", "zip=home"]}, "columns 'city' and 'zip' are both the trait 'home'"),
        ({"truth": "persn"}, "--truth persn: no such column.*did you mean 'person'"),
        ({"truth": "person=("}, r"--truth person=\(: got .*, expected column=regex with one group"),
        ({"truth": "person=.+"}, "--truth person=.+: got .*, expected column=regex with one group"),
        ({"truth": r"person=(\d)"}, "'b' does not match, expected all"),
    ],
)
def test_what_cannot_be_done_is_named(tmp_path, options, said):
    with pytest.raises(SourceError, match=said):
        _read(tmp_path, "id,city,zip,person\n1,Bonn,53111,1\n2,Ulm,89073,b\n", **options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,city\n", "no records, expected some"),
        ("", "not readable"),
        ("key,city\n1,Bonn\n", "--id id: no such column, expected one of .*'key', 'city'.*did you mean"),
        ("id,city\n1,Bonn\n1,Ulm\n", "--id id: got '1' twice or empty"),
        ("id,city\n1,Bonn\n,Ulm\n", "--id id: got '' twice or empty"),
        ("id\n1\n2\n", "no column to compare"),
        ("id,firstName,first name\n1,Ann,Ann\n", "'firstName' and 'first name' are both the trait 'first_name'"),
    ],
)
def test_a_file_that_cannot_be_matched_is_named(tmp_path, text, said):
    with pytest.raises(SourceError, match=said):
        _read(tmp_path, text)


def test_a_record_without_a_person_is_named(tmp_path):
    with pytest.raises(SourceError, match="--truth person: empty in record 2"):
        _read(tmp_path, "id,city,person\n1,Bonn,a\n2,Ulm,\n", truth="person")


def test_files_that_are_not_there_or_not_parquet_are_named(tmp_path):
    with pytest.raises(SourceError, match=r"absent.csv: no such file"):
        read_people([tmp_path / "absent.csv"], "id", None, [])
    with pytest.raises(SourceError, match=r"people.parquet: not readable"):
        read_people([_file(tmp_path, "id\n1\n", "people.parquet")], "id", None, [])


def test_every_record_is_an_identify_event_a_millisecond_apart():
    first, second = messages(PLAIN)
    assert json.loads(first.value) == {
        "type": "identify",
        "messageId": "record-0",
        "anonymousId": "record:1",
        "originalTimestamp": "2026-01-01T00:00:00+00:00",
        "traits": {"first_name": "Zoë", "dob": "1985-01-05"},
    }
    assert json.loads(second.value)["traits"] == {"first_name": "Bob"}
    assert second.at - first.at == datetime.timedelta(milliseconds=1)
    assert (first.key, anonymous_id("1")) == (b"1", "record:1")


def test_a_value_that_is_no_unicode_is_sent_all_the_same():
    people = PersonRecords(ids=["\ud800"], traits={"city": ["a\ud800b"]}, kinds={"city": "address"}, truth=None)
    (message,) = messages(people)
    assert json.loads(message.value)["traits"] == {"city": "a?b"}
