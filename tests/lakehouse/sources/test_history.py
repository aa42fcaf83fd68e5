"""An import: every record once, whenever, under whatever name, in whatever pieces its file comes again."""

import gzip
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.config import load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import SourceError
from lakehouse.events.event_row import EventReader
from lakehouse.events.verdict import parts
from lakehouse.kafka.message import Message
from lakehouse.sources import drafts, history
from lakehouse.sources.digests import digest
from lakehouse.sources.drafts import Draft
from lakehouse.sources.history import Mark, Progress, Tally, identified, messages
from lakehouse.sources.known_messages import KnownMessages, Rejected
from lakehouse.sources.message_ids import sent_id
from lakehouse.sources.record import Record, fingerprint
from lakehouse.sources.source import Source

SHOP = Source.named("simple-events", SOURCES, load("dev", environ={}))
READER = EventReader(SHOP.config)
NOW = 1_780_000_000_000_000
HEADER = "event,customer_id,timestamp,product_id,price\n"
ROWS = [f"add_to_cart,c-{n},2025-01-0{n} 10:00:00,p-{n},{n}.50\n" for n in range(1, 6)]


def write(folder: Path, name: str, *rows: str, header: str = HEADER) -> Path:
    path = folder / name
    path.write_text(header + "".join(rows), encoding="utf-8")
    return path


def sent(
    files: Sequence[Path], known: KnownMessages | None = None, source: Source = SHOP
) -> tuple[list[Message], Tally]:
    tally = Tally()
    return list(messages(files, source, known or having([]), tally, lambda *_: None)), tally


def verdict(value: bytes) -> str | None:
    return READER.read(value, NOW, NOW).verdict


def having(taken: Sequence[Message]) -> KnownMessages:
    """The lake once it has taken these in."""
    values = [one.value for one in taken if one.value is not None]
    rejected = [
        Rejected(value, sent_id(value, SHOP.config.privacy), *parts(why)) for value in values if (why := verdict(value))
    ]
    ids = [orjson.loads(value)["messageId"].encode() for value in values if verdict(value) is None]
    return KnownMessages(ids, rejected, verdict)


def waiting(taken: Sequence[Message]) -> KnownMessages:
    """The topic while nobody has taken these in."""
    known = having([])
    known.take_in([one.value for one in taken if one.value is not None], SHOP.config.privacy)
    return known


def document(message: Message) -> dict[str, Any]:
    assert message.value is not None
    made: dict[str, Any] = orjson.loads(message.value)
    return made


def test_a_file_under_another_name_with_other_marks_and_columns_in_another_order_is_the_same_file(
    tmp_path: Path,
) -> None:
    first, _ = sent([write(tmp_path, "a.csv", *ROWS)])
    swapped = [";".join(reversed(row.strip().split(","))) + "\n" for row in ROWS]
    again, tally = sent(
        [write(tmp_path, "b.csv", *swapped, header=";".join(reversed(HEADER.strip().split(","))) + "\n")], having(first)
    )
    assert (len(first), again, tally.known) == (5, [], 5)


def test_rows_of_a_source_whose_files_hold_copies_are_one(tmp_path: Path) -> None:
    row = {"event_name": "scroll", "event_timestamp": 1773138600123456, "user_pseudo_id": "1.2"}
    path = tmp_path / "events.jsonl"
    path.write_text(
        "".join(json.dumps(one) + "\n" for one in (row, row, {**row, "event_name": "click"}, row)), encoding="utf-8"
    )
    tally, ga4 = Tally(), Source.named("ga4", SOURCES, SHOP.config)
    taken = list(messages([path], ga4, having([]), tally, lambda *_: None))
    assert [document(one)["event"] for one in taken] == ["scroll", "click"]
    assert (tally.records, tally.sent, tally.known) == (4, 2, 2)


def test_two_rows_that_say_the_same_are_two_and_stay_two(tmp_path: Path) -> None:
    first, _ = sent([write(tmp_path, "a.csv", ROWS[0], ROWS[1], ROWS[0])])
    assert len({document(one)["messageId"] for one in first}) == 3
    again, _ = sent([write(tmp_path, "b.csv", ROWS[0], ROWS[0], ROWS[0])], having(first))
    assert len(again) == 1


def test_of_files_that_overlap_what_they_have_in_common_is_sent_once(tmp_path: Path) -> None:
    files = [write(tmp_path, "a.csv", *ROWS[:3]), write(tmp_path, "b.csv", *ROWS[2:]), write(tmp_path, "c.csv", *ROWS)]
    found, tally = sent(files)
    assert len({document(one)["messageId"] for one in found}) == len(found) == 5
    assert (tally.records, tally.sent, tally.known) == (11, 5, 6)


@pytest.mark.parametrize("killed_after", range(6))
def test_an_import_that_was_killed_is_begun_again(tmp_path: Path, killed_after: int) -> None:
    path = write(tmp_path, "a.csv", *ROWS)
    first = sent([path])[0][:killed_after]
    for known in (having(first), waiting(first)):
        rest, _ = sent([path], known)
        assert [one.value for one in [*first, *rest]] == [one.value for one in sent([path])[0]]


def test_unmapped_records_are_sent_with_a_reason_and_again_once_they_map(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ROWS[0], "add_to_cart,c-9,,p-9,1\n", "a,b,c,d,e,f,g\n")
    found, tally = sent([path])
    assert (tally.records, tally.sent, tally.unmapped) == (3, 3, 2)
    assert [document(one).get("detail") for one in found] == [
        None, "time: the time of the event expected", "row: got 7 cells, expected the 5 of the header",
    ]  # fmt: skip
    mended = Source.read(_with_time(tmp_path), load("dev", environ={}))
    for known in (having, waiting):
        assert sent([path], known(found))[0] == []
        (again,), _ = sent([path], known(found), mended)
        assert document(again)["timestamp"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize("known", [having, waiting])
def test_a_record_whose_document_another_day_would_change_is_sent_once(
    tmp_path: Path, known: Callable[[Sequence[Message]], KnownMessages]
) -> None:
    crm = Source.named("crm", SOURCES, SHOP.config)
    path = write(tmp_path, "people.csv", "k-1,DE\n", ",AT\n", '"k\n', header="customer_id,country\n")
    os.utime(path, (1_760_000_000, 1_760_000_000))
    first, tally = sent([path], source=crm)
    assert (tally.sent, tally.unmapped) == (3, 1)
    assert [str(verdict(one.value or b"")).split("|")[0] for one in first] == [
        "None",
        "no_usable_identifier",
        "unmapped",
    ]
    os.utime(path, (1_700_000_000, 1_700_000_000))
    again, _ = sent([path], having([]), crm)
    assert {one.value for one in again}.isdisjoint(one.value for one in first), "the file's time stands in each"
    assert sent([path], known(first), crm)[0] == []


@pytest.mark.parametrize("known", [having, waiting])
def test_a_row_whose_fault_has_a_bar_in_it_is_known_by_all_of_its_fault(
    tmp_path: Path, known: Callable[[Sequence[Message]], KnownMessages]
) -> None:
    path = write(tmp_path, "a.csv", 'x|y|2025-01-01|"a"b\n', header=HEADER.replace(",", "|"))
    first, tally = sent([path])
    assert (tally.unmapped, "|' expected" in str(document(first[0])["detail"])) == (1, True)
    os.utime(path, (1, 1))
    assert sent([path], known(first))[0] == []


def test_each_of_many_messages_of_many_files_is_known_and_no_other(tmp_path: Path) -> None:
    known = KnownMessages((b"a-%d" % n for n in range(100)), [], verdict)
    for size in (1, 5, 1, 1, 300, 0, 2, 7):
        known.add(bytearray().join(digest(b"b-%d-%d" % (size, n)) for n in range(size)))
    there = [f"a-{n}" for n in range(100)] + [f"b-{size}-{n}" for size in (1, 5, 300, 2, 7) for n in range(size)]
    assert all(known.have([Draft(one, digest(one.encode()), b"", b"") for one in there]))
    assert not any(known.have([Draft(one, digest(f"{one}-".encode()), b"", b"") for one in there]))
    assert known.have([]) == []


def test_repeats_are_numbered_however_far_they_stand_apart() -> None:
    said = [n % 7 if n % 3 else n for n in range(10 * drafts.AT_ONCE // 4)]
    found = [
        (record_id.partition("-")[2], times)
        for _, record_id, times in identified(Record(n, {"a": one}) for n, one in enumerate(said))
    ]
    before: dict[int, int] = {}
    for (number, times), one in zip(found, said, strict=True):
        before[one] = before.get(one, 0) + 1
        assert (number, times) == ("" if before[one] == 1 else str(before[one]), before[one])


class Kept:
    """The marks of an import, and after how many messages each was put."""

    def __init__(self) -> None:
        self.marks: dict[Path, Mark] = {}
        self.put_after: list[tuple[int, int]] = []
        self.handed_over = 0

    def of(self, file: Path) -> Mark | None:
        return self.marks.get(file)

    def put(self, file: Path, mark: Mark) -> None:
        self.marks[file] = mark
        self.put_after.append((self.handed_over, mark.rows))


def _marked(path: Path, kept: Kept, until: int | None = None) -> tuple[list[bytes | None], Tally]:
    """What is sent by an import that knows nothing but its marks. `until`: it is killed when so many are handed over."""
    tally, values = Tally(), []
    for one in messages([path], SHOP, having([]), tally, lambda *_: None, marks=kept):
        values.append(one.value)
        kept.handed_over += 1
        if len(values) == until:
            break
    return values, tally


def test_a_killed_import_goes_on_behind_its_mark_where_the_file_says_the_same_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 2)
    path = write(tmp_path, "a.csv", *ROWS, ROWS[0])
    whole, kept = sent([path])[0], Kept()
    _marked(path, kept, until=5)
    assert kept.put_after == [(2, 2), (4, 4)], "a mark is put once all before it was handed over"
    rest, tally = _marked(path, kept)
    assert (rest, tally.records, tally.known) == ([one.value for one in whole[4:]], 6, 4)
    again, _ = _marked(write(tmp_path, "a.csv", ROWS[1], ROWS[0], *ROWS[2:], ROWS[0]), kept)
    assert len(again) == 6, "another file is asked for from its beginning"
    assert len(_marked(write(tmp_path, "a.csv", *ROWS[:2]), kept)[0]) == 2, "one that is shorter, too"


def test_what_stands_before_a_fault_of_a_file_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(
        (HEADER + "".join(f"search,c-{n},2025-01-01,{n * 7919 % 1000},\n" for n in range(9000))).encode()
    )
    path.write_bytes(packed[: len(packed) // 2])
    found: list[Message] = []
    with pytest.raises(SourceError, match="cannot be read"):
        found.extend(messages([path], SHOP, having([]), Tally(), lambda *_: None))
    assert len(found) % drafts.AT_ONCE > 0


def test_what_was_sent_from_one_file_is_known_for_those_after_it(tmp_path: Path) -> None:
    known = having([])
    path = write(tmp_path, "a.csv", *ROWS[:2])
    assert [sent([path], known)[1].sent for _ in range(2)] == [2, 0]


def _with_time(folder: Path) -> Path:
    path = folder / "simple-events.yaml"
    declared = (SOURCES / "simple-events.yaml").read_text(encoding="utf-8")
    path.write_text(
        declared.replace("time: at\n", "time: coalesce(at, TIMESTAMP '2020-01-01 00:00:00')\n"), encoding="utf-8"
    )
    return path


def test_a_large_record_that_does_not_map_is_told_without_its_content(tmp_path: Path) -> None:
    header = "event," + ",".join(f"c{n}" for n in range(10_000)) + "\n"
    (one,), _ = sent([write(tmp_path, "a.csv", "x" + ",12345" * 10_000 + "\n", header=header)])
    assert document(one)["record"] == ""
    assert len(one.value or b"") < 500


EVENTS = Source.named("segment", SOURCES, load("dev", environ={}))


def _of_segment(
    folder: Path, known: KnownMessages | None = None, *, message_id: str = "m", **properties: Any
) -> tuple[list[Message], Tally]:
    event = {"type": "track", "event": "x", "messageId": message_id, "userId": "u", "timestamp": "2025-01-01T00:00:00Z"}
    path = folder / "events.json"
    path.write_bytes(json.dumps(event | {"properties": properties}).encode() + b"\n")
    return sent([path], known, EVENTS)


@pytest.mark.parametrize("id_", ["m-1", " m-1 ", '"7"', "7.0", "order-7-ann@example.com", "+49 170 2345678", "x" * 101])
def test_an_id_is_known_by_what_silver_has_made_of_it(tmp_path: Path, id_: str) -> None:
    (first,), _ = _of_segment(tmp_path, message_id=id_)
    row = READER.read(first.value, None, NOW)
    taken_in = row.message_id is not None and row.verdict is None
    accepted = [row.message_id.encode()] if taken_in and row.message_id else []
    for known in (KnownMessages(accepted, [], verdict) if taken_in else having([first]), waiting([first])):
        _, tally = _of_segment(tmp_path, known, message_id=id_)
        assert (tally.sent, tally.known) == (0, 1)


def test_a_number_of_more_digits_than_a_machines_is_sent_in_all_of_them(tmp_path: Path) -> None:
    (one,), _ = _of_segment(tmp_path, big=10**30)
    assert b'"big":1000000000000000000000000000000' in (one.value or b"")


def test_an_event_that_the_parse_would_refuse_for_its_length_is_told_and_holds_up_no_import(tmp_path: Path) -> None:
    (one,), tally = _of_segment(tmp_path, note="x" * 2_000_000)
    assert tally.reasons == {"oversized: an event of at most 36,864 bytes expected": 1}
    assert (document(one)["type"], document(one)["record"]) == ("unmapped", "")
    assert len(one.value or b"") < 500


def test_what_one_person_does_is_keyed_alike_and_by_no_address(tmp_path: Path) -> None:
    rows = ["signup,,2025-01-01,,\n", "search,c-1,2025-01-01,,\n", "view,c-1,2025-01-02,,\n"]
    found, _ = sent([write(tmp_path, "a.csv", *rows)])
    assert [one.key for one in found][1:] == [b"c-1", b"c-1"]
    by_mail, _ = sent([write(tmp_path, "b.csv", "signup,a@example.com,2025-01-01\n", header="event,email,timestamp\n")])
    assert by_mail[0].key is not None
    assert b"@" not in by_mail[0].key


def test_a_fingerprint_is_of_what_a_record_says() -> None:
    one = fingerprint(Record(1, {"a": "1", "b": ""}))
    assert one == fingerprint(Record(9, {"a": "1"}))
    assert one != fingerprint(Record(1, {"a": "2"}))
    assert fingerprint(Record(1, {"a": 10**30})) != fingerprint(Record(1, {"a": 10**30 + 1}))
    assert fingerprint(Record(1, None, "broken", "x")) != fingerprint(Record(1, None, "broken", "y"))


def test_progress_is_a_line_with_counts_and_no_values(tmp_path: Path) -> None:
    told: list[str] = []
    clock = iter([0.0, 2.0])
    list(
        messages(
            [write(tmp_path, "a.csv", *ROWS)], SHOP, having([]), Tally(), Progress(told.append, lambda: next(clock))
        )
    )
    assert told == ["a.csv: 5 records, 5 sent (0 of all unmapped), 0 known, 0 no events, 2/s"]
