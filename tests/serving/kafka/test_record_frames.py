from hypothesis import given
from hypothesis import strategies as st

from serving.kafka.record_frames import Record, frames, whole_records

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
HEADERS = st.lists(st.tuples(TEXT, st.none() | st.binary(max_size=20)), max_size=3).map(tuple)
RECORDS = st.lists(
    st.builds(Record, TEXT, st.none() | st.binary(max_size=20), st.binary(max_size=50), HEADERS), max_size=5
)


@given(records=RECORDS, cut=st.integers(0, 400))
def test_records_come_back_as_they_were_and_of_a_cut_text_the_whole_ones(records: list[Record], cut: int) -> None:
    framed = frames(records)
    assert whole_records(framed) == (records, len(framed))
    found, end = whole_records(framed[:cut])
    assert found == records[: len(found)]
    assert framed[:end] == frames(found)
    assert len(found) == len(records) or end + len(frames(records[len(found) : len(found) + 1])) > cut


@given(records=RECORDS.filter(bool), at=st.integers(0), bit=st.integers(0, 7))
def test_a_bit_that_turned_over_ends_what_is_believed(records: list[Record], at: int, bit: int) -> None:
    framed = bytearray(frames(records))
    at %= len(framed)
    framed[at] ^= 1 << bit
    found, end = whole_records(bytes(framed))
    assert end <= at
    assert found == records[: len(found)]
