"""silver.events and its quarantine, and what goes on to profiles, from a stream of files in place of Kafka: repeats, conflicts, replays.

A message is two letters: `aB` has id `a` and content `B`. `!` is a record that is not JSON. `|` ends a micro-batch.
Every content happened years before or after the others: nothing is ever late.
"""

import dataclasses
import functools
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.config import LakeConfig, load
from lakehouse.events import dedupe
from lakehouse.events.parse import parse
from lakehouse.events.reasons import ID_CONFLICT, MALFORMED_JSON
from lakehouse.lake.checkpoint import Ends
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.differences import compare, summarise
from lakehouse.queries import events as query
from lakehouse.queries import events_batch, silver_writes, unfinished
from lakehouse.queries.known_records import known
from lakehouse.queries.silver_writes import Accepted, write_events
from lakehouse.sessions.rebuilt_sessions import rebuilt_sessions
from lakehouse.sessions.session_step import SessionStep
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests import rows as made
from tests.rows import ARRIVAL, RECORD, Value, add_batch, listed, row, stream, track

REJECTED = "!"
ONCE = Transaction(application="q", batch_id=0)
YEARS = {"A": 2005, "B": 2024, "C": 2001, "D": 2015}
# contents of one message_id as they come -> the one that is the event; those in quarantine. What is left are repeats.
HISTORIES = {
    "A": ("A", ""),
    "AA": ("A", ""),
    "A|A|A": ("A", ""),
    "AB": ("A", "B"),
    "BA": ("B", "A"),
    "A|B": ("A", "B"),
    "|B|A": ("B", "A"),
    "ABA": ("A", "B"),
    "AB|A": ("A", "B"),
    "A|BA": ("A", "B"),
    "A|B|A": ("A", "B"),
    "A|BB|B": ("A", "B"),
    "BABC|ADC|B": ("B", "ACD"),
}


def value(message: str) -> Value:
    if message == REJECTED:
        return message
    content = message[1]
    return track(
        message_id=message[0], properties={"product_id": content}, timestamp=f"{YEARS[content]}-07-01T12:00:00Z"
    )


def new_lake(spark: SparkSession, folder: Path, *, sessions: bool = False) -> Lake:
    config = load("dev", environ={})
    enrichment = dataclasses.replace(config.enrichment, sessions=sessions)
    root = LakeConfig(root=str(folder / "lake"), keep_hours=1)
    lake = Lake(spark, dataclasses.replace(config, lake=root, enrichment=enrichment))
    lake.create(SILVER_EVENTS)
    lake.create(SILVER_EVENT_FAULTS)
    lake.create(SILVER_EVENTS_QUARANTINE)
    lake.create(SILVER_SESSIONS)
    return lake


def send(lake: Lake, *batches: list[str]) -> None:
    for batch in batches:
        add_batch(Path(lake.root).parent / "records", [value(message) for message in batch])


def drain(lake: Lake, *, dies_before: int | None = None) -> None:
    """Read what was sent; the leaf rows that go on to profiles are kept in memory, for `counted`.

    Every other micro-batch is said to be of few records, and goes by way of the driver.

    `dies_before`: number of the micro-batch of which profiles hear nothing.
    """
    taken = TAKEN.setdefault(lake.root, [])
    folder = Path(lake.root).parent / "records"

    def take_in(leaves: DataFrame | pa.Table, once: Transaction, _: BatchRecord) -> None:
        if once.batch_id == dies_before:
            raise OSError("no space left")
        taken.append((once, sum(row["event_count"] for row in listed(leaves))))

    def begin(once: Transaction) -> None:
        unfinished.note(lake, query.NAME, unfinished.Begun(once=once, begins=_begins(lake, folder, once.batch_id)))

    events_batch.finish(lake, query.NAME, take_in, lambda *_: lake.spark.read.schema(RECORD).parquet(str(folder)))
    parts = events_batch.Parts(begin=begin, size=lambda once: None if once.batch_id % 2 else 1)
    to_start = query.writer(lake, stream(lake.spark, folder), take_in, parts=parts)
    to_start.trigger(availableNow=True).start().awaitTermination()


def _begins(lake: Lake, folder: Path, batch_id: int) -> Ends:
    """Behind the files that the micro-batch before had read; Spark's log of a stream of files counts files."""
    if batch_id == 0:
        return known(lake, query.NAME, query.KNOWN)["events"]
    said = Path(lake.checkpoint(query.NAME), "offsets", str(batch_id - 1)).read_text().splitlines()[-1]
    files = sorted(folder.iterdir())[: json.loads(said)["logOffset"] + 1]
    return {"events": {"0": sum(pq.read_metadata(file).num_rows for file in files)}}


TAKEN: dict[str, list[tuple[Transaction, int]]] = {}


def counted(lake: Lake) -> int:
    """How many events went on to profiles, each batch once."""
    return sum(dict(TAKEN[lake.root]).values())


def stored_rows(lake: Lake, table: Table, *columns: str) -> Iterator[dict[str, Any]]:
    """Rows of the table, read without Spark."""
    return (row for batch in lake.batches(table, columns=columns) for row in batch.to_pylist())


def events(lake: Lake) -> list[str]:
    return sorted(
        r["message_id"] + r["product_id"] for r in stored_rows(lake, SILVER_EVENTS, "message_id", "product_id")
    )


def quarantine(lake: Lake) -> list[str]:
    """Its messages; each must be there for the right reason."""
    rows = stored_rows(lake, SILVER_EVENTS_QUARANTINE, "reason", "value")
    return sorted(_quarantined(r["reason"], r["value"]) for r in rows)


def _quarantined(reason: str, content: bytes) -> str:
    if reason == MALFORMED_JSON:
        return content.decode()
    assert reason == ID_CONFLICT
    message = json.loads(content)
    return str(message["messageId"] + message["properties"]["product_id"])


def commits(lake: Lake, table: Table) -> list[str]:
    """Names of the applications that wrote the table, one per commit; its creation is not among them."""
    logs = sorted(Path(lake.path(table), "_delta_log").glob("*.json"))
    actions = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [action["txn"]["appId"] for action in actions if "txn" in action]


@pytest.fixture(scope="module")
def histories(_session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All histories in one run, the n-th under the n-th letter's id; a record that is not JSON in every micro-batch."""
    lake = new_lake(_session, tmp_path_factory.mktemp("histories"))
    parts = {chr(ord("a") + n): history.split("|") for n, history in enumerate(HISTORIES)}
    for number in range(3):
        sent = [id_ + content for id_, part in parts.items() for content in "".join(part[number : number + 1])]
        send(lake, [*sent, REJECTED])
    drain(lake)
    return lake


@pytest.mark.parametrize("number", range(len(HISTORIES)), ids=HISTORIES)
def test_the_first_content_of_an_id_is_the_event_and_every_other_one_a_conflict(histories: Lake, number: int) -> None:
    event, conflicts = list(HISTORIES.values())[number]
    id_ = chr(ord("a") + number)
    assert [m for m in events(histories) if m[0] == id_] == [id_ + event]
    assert [m for m in quarantine(histories) if m[0] == id_] == [id_ + content for content in conflicts]


def test_a_rejected_record_passes_as_often_as_it_comes(histories: Lake) -> None:
    assert quarantine(histories).count(REJECTED) == 3
    places = histories.read(SILVER_EVENTS_QUARANTINE).where(f"reason = '{MALFORMED_JSON}'").select("offset").distinct()
    assert places.count() == 3


def test_a_batch_makes_a_commit_only_where_it_brings_rows(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA", "bA"], ["aA"], ["aB"])
    drain(lake)
    run = json.loads(Path(lake.checkpoint(query.NAME), "metadata").read_text())["id"]
    application = f"events:{run}:silver.events"
    assert commits(lake, SILVER_EVENTS) == [application]
    assert commits(lake, SILVER_EVENTS_QUARANTINE) == [f"{application}_quarantine"]
    assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["aB"])


@pytest.mark.parametrize("arrived_at", ["2026-03-01 10:59:59.999999", "2026-03-01 10:00:00"])
def test_the_clock_is_the_next_full_hour(spark: SparkSession, arrived_at: str) -> None:
    (clock,) = spark.range(1).select(query.next_hour(F.lit(arrived_at).cast("timestamp"))).first() or []
    assert clock == datetime(2026, 3, 1, 11)


def answered(lake: Lake, **places: str) -> pa.Table:
    """What a state that knows nothing answers to messages at places `p<partition>_<offset>`."""
    return _answered(lake.spark, tuple(places.items()))


@functools.cache
def _answered(spark: SparkSession, places: tuple[tuple[str, str], ...]) -> pa.Table:
    rows = []
    for place, message in places:
        partition, offset = place.removeprefix("p").split("_")
        rows.append(row(value(message), int(offset), partition=int(partition)))
    asked = dedupe.ask(parse(spark.createDataFrame(rows, RECORD), load("dev", environ={})))
    clocked = asked.withColumn("remembered_at", query.next_hour(F.col("arrived_at")))
    return dedupe.unpacked(clocked.dropDuplicates(list(dedupe.KEY))).toArrow()


@pytest.mark.parametrize("most", [silver_writes.FEW_BYTES, 0], ids=["few", "many"])
def test_replaying_a_batch_changes_nothing(
    spark: SparkSession, tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver_writes, "FEW_BYTES", most)
    lake = new_lake(spark, tmp_path)
    for _ in range(2):
        rows = answered(lake, p0_0="aA", p0_1="aB", p0_2="bA", p0_3="!")
        accepted = write_events(lake, lake.frame(rows), ONCE, known={})
        assert taken(accepted) == {"aA": "0-0", "bA": "0-2"}
        assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["!", "aB"])
        assert (accepted.count, accepted.first_arrival) == (2, ARRIVAL)
        assert accepted.quarantined == {MALFORMED_JSON: 1, ID_CONFLICT: 1}


@pytest.mark.parametrize("are_here", [True, False], ids=["here", "there"])
def test_a_batch_is_decided_and_written_the_same_by_way_of_the_driver(
    spark: SparkSession, tmp_path: Path, are_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = new_lake(spark, tmp_path)
    for number in range(2):
        rows = answered(lake, p0_0="aA", p0_1="aB", p0_2="bA", p0_3="!", p0_4="aC")
        with monkeypatch.context() as patched:
            if are_here and number == 0:
                patched.setattr(lake, "frame", lambda _: pytest.fail("Spark was asked"))
            accepted = write_events(lake, rows if are_here else lake.frame(rows), ONCE, known={})
        assert taken(accepted) == {"aA": "0-0", "bA": "0-2"}
        assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["!", "aB", "aC"])
        assert (accepted.count, accepted.first_arrival) == (2, ARRIVAL)
        assert accepted.quarantined == {MALFORMED_JSON: 1, ID_CONFLICT: 2}


def test_the_driver_finds_the_conflicts_that_spark_finds(spark: SparkSession) -> None:
    choose = random.Random(5)
    places = [("topic", choose.randrange(3), offset) for offset in range(300)]
    kinds = choose.choices([dedupe.CONTENT, dedupe.ID, dedupe.REJECTED], [5, 3, 1], k=300)
    ids = [None if kind == dedupe.REJECTED else str(choose.randrange(80)) for kind in kinds]
    rows = [(kind, id_, *place, None, None) for kind, id_, place in zip(kinds, ids, places, strict=True)]
    frame = spark.createDataFrame(
        rows, "asks string, message_id string, topic string, partition int, offset bigint, reason string, detail string"
    )
    here = frame.toArrow()
    found = {row["offset"] for row in here.filter(pa.array(dedupe.are_conflicts(here))).to_pylist()}
    assert found == {row["offset"] for row in dedupe.conflicts(frame).collect()}
    assert 0 < len(found) < kinds.count(dedupe.CONTENT)


def crash_before(patch: pytest.MonkeyPatch, table: Table) -> None:
    """From now on nothing can be appended to the table."""
    append = Lake.append

    def crash(self: Lake, frame: DataFrame, into: Table, once: Transaction, **options: bool) -> None:
        if into is table:
            raise OSError("no space left")
        append(self, frame, into, once, **options)

    patch.setattr(Lake, "append", crash)


def write_and_crash(lake: Lake, rows: DataFrame | pa.Table) -> None:
    """Quarantine is written, silver.events is not."""
    with pytest.MonkeyPatch.context() as patch:
        crash_before(patch, SILVER_EVENTS)
        with pytest.raises(OSError, match="no space left"):
            write_events(lake, rows, ONCE, known={})


@pytest.mark.parametrize("are_here", [True, False], ids=["here", "there"])
def test_after_a_crash_between_the_tables_the_replay_decides_as_before(
    spark: SparkSession, tmp_path: Path, are_here: bool
) -> None:
    # aA came at p0_0 and p1_2, aB at p1_1 and p0_9: of each content the state keeps one place, not always the same.
    lake = new_lake(spark, tmp_path)
    rows = answered(lake, p0_0="aA", p1_1="aB", p1_3="bA")
    write_and_crash(lake, rows if are_here else lake.frame(rows))
    assert (events(lake), quarantine(lake)) == ([], ["aB"])
    for _ in range(2):
        rows = answered(lake, p0_9="aB", p1_2="aA", p1_3="bA")
        replayed = write_events(lake, rows if are_here else lake.frame(rows), ONCE, known={})
        assert taken(replayed) == {"aA": "1-2", "bA": "1-3"}
        assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["aB"])


@pytest.mark.parametrize("is_replay_here", [True, False], ids=["here", "there"])
def test_after_a_crash_on_the_driver_either_way_takes_in_the_rest(
    spark: SparkSession, tmp_path: Path, is_replay_here: bool
) -> None:
    lake = new_lake(spark, tmp_path)
    rows = answered(lake, p0_0="aA", p0_1="bA", p0_2="!")
    write_and_crash(lake, rows)
    assert (events(lake), quarantine(lake)) == ([], ["!"])
    replayed = write_events(lake, rows if is_replay_here else lake.frame(rows), ONCE, known={})
    assert taken(replayed) == {"aA": "0-0", "bA": "0-1"}
    assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["!"])


@pytest.mark.parametrize("are_here", [True, False], ids=["here", "there"])
def test_what_quarantine_had_before_the_checkpoint_is_not_put_there_again(
    spark: SparkSession, tmp_path: Path, are_here: bool
) -> None:
    lake = new_lake(spark, tmp_path)
    rows = answered(lake, p0_0="aA", p0_1="!", p0_2="!", p1_0="!")
    known = {"events": {"0": 2}}
    accepted = write_events(lake, rows if are_here else lake.frame(rows), ONCE, known=known)
    assert (events(lake), quarantine(lake)) == (["aA"], ["!", "!"])
    assert accepted.quarantined == {MALFORMED_JSON: 3}


def test_after_a_crash_behind_silver_the_replay_goes_on_with_the_copies_that_silver_has(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A copy sent again has another time: counted on another day than in silver it would be wrong for ever."""
    lake = new_lake(spark, tmp_path)
    first = write_events(lake, lake.frame(answered(lake, p0_0="aA", p1_1="bB", p1_2="bC")), ONCE, known={})
    assert taken(first) == {"aA": "0-0", "bB": "1-1"}
    again = write_events(lake, lake.frame(answered(lake, p1_3="aA", p1_4="bB", p0_5="bC")), ONCE, known={})
    assert taken(again) == {"aA": "0-0", "bB": "1-1"}
    assert (events(lake), quarantine(lake)) == (["aA", "bB"], ["bC"])


def taken(accepted: Accepted) -> dict[str, str]:
    """Of the events that go on to profiles, the place in Kafka of the copy."""
    return {r["message_id"] + r["product_id"]: f"{r['partition']}-{r['offset']}" for r in listed(accepted.events)}


def test_a_query_that_crashed_between_the_tables_resumes(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA", "aB", "!", "bA"])
    with pytest.MonkeyPatch.context() as patch:
        crash_before(patch, SILVER_EVENTS)
        with pytest.raises(StreamingQueryException):
            drain(lake)
    send(lake, ["aA", "aB", "cA", "bB"])
    drain(lake)
    assert (events(lake), quarantine(lake)) == (["aA", "bA", "cA"], ["!", "aB", "bB"])
    assert counted(lake) == 3


def test_a_checkpoint_that_is_lost_doubles_nothing_and_the_topic_is_read_on(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA", "!", "aB"], ["bA"], ["bC", "!"])
    drain(lake)
    shutil.rmtree(lake.checkpoint(query.NAME))
    send(lake, ["aA", "cA", "bB"])
    drain(lake)
    send(lake, ["bA", "dA"])
    drain(lake)  # from the new checkpoint
    assert (events(lake), quarantine(lake)) == (["aA", "bA", "cA", "dA"], ["!", "!", "aB", "bB", "bC"])
    assert counted(lake) == 4


def test_a_checkpoint_lost_after_a_crash_between_the_tables_loses_no_event(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA", "!"])
    drain(lake)
    send(lake, ["aB", "bA", "!", "bB", "!"])
    with pytest.MonkeyPatch.context() as patch:
        crash_before(patch, SILVER_EVENTS)
        with pytest.raises(StreamingQueryException):
            drain(lake)
    shutil.rmtree(lake.checkpoint(query.NAME))
    send(lake, ["cA", "!"])
    drain(lake)
    assert (events(lake), quarantine(lake)) == (["aA", "bA", "cA"], ["!", "!", "!", "!", "aB", "bB"])


def test_a_checkpoint_lost_between_silver_and_profiles_loses_no_event(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA"], ["bA", "aB", "!", "cA"])
    with pytest.raises(StreamingQueryException):
        drain(lake, dies_before=1)
    assert (events(lake), counted(lake)) == (["aA", "bA", "cA"], 1)
    shutil.rmtree(lake.checkpoint(query.NAME))
    died = unfinished.last_batch(lake, query.NAME)
    assert died is not None, "a rebuild would not note it, and finishing it would count it again"
    with pytest.raises(OSError, match="no space left"):  # a driver that dies while it finishes it, too
        drain(lake, dies_before=1)
    send(lake, ["bA", "dA"])
    drain(lake)
    assert (events(lake), quarantine(lake)) == (["aA", "bA", "cA", "dA"], ["!", "aB"])
    assert dict(TAKEN[lake.root])[died] == 2
    assert counted(lake) == 4


def seen(number: int, minute: int, campaign: str | None = None) -> Value:
    """A page view at some minute of an hour long ago, from a link that is tagged or not."""
    address = f"https://shop.example/{number}" + (
        "" if campaign is None else f"?utm_source=crm&utm_campaign={campaign}"
    )
    when = f"2020-01-01T1{minute // 60}:{minute % 60:02}:00Z"
    return made.message(
        "page", f"m{number}", anonymousId=f"visitor-{number % 2}", timestamp=when, context={"page": {"url": address}}
    )


def test_sessions_follow_the_events_late_ones_and_replays_too(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path, sessions=True)
    batches = [
        [seen(0, 0), seen(2, 70), seen(1, 5), seen(3, 50, "A")],
        [seen(4, 10, "B"), seen(0, 0), seen(5, 20)],  # divides one, repeats one, joins none
        [seen(6, 38), seen(8, 40), seen(7, 55, "A")],  # joins
    ]
    for batch in batches:
        add_batch(Path(lake.root).parent / "records", batch)
    write, written = SessionStep._write, iter(range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SessionStep, "_write", lambda step, rows: write(step, rows) if next(written) == 0 else 1 / 0)
        with pytest.raises(StreamingQueryException, match="division by zero"):
            drain(lake)
    drain(lake)
    kept = lake.read(SILVER_SESSIONS).orderBy("visitor_id", "started_at").collect()
    told = [
        (row["visitor_id"][-1], row["landing_page"][-1], row["exit_page"][-1], row["event_count"], row["campaign"])
        for row in kept
    ]
    assert told == [
        ("0", "0", "0", 1, None),
        ("0", "4", "2", 4, "B"),
        ("1", "1", "5", 2, None),
        ("1", "3", "7", 2, "A"),
    ]
    differences = compare(SILVER_SESSIONS, lake.read(SILVER_SESSIONS), rebuilt_sessions(lake))
    assert summarise(SILVER_SESSIONS, differences).total == 0


MESSAGES = st.one_of(st.just(REJECTED), st.tuples(st.sampled_from("abcd"), st.sampled_from("ABC")).map("".join))
BATCHES = st.lists(st.lists(MESSAGES, min_size=1, max_size=20), min_size=2, max_size=3).filter(
    lambda batches: sum(map(len, batches)) > 9  # not the simplest, which is what Hypothesis tries first
)


@settings(max_examples=2, deadline=None, database=None, derandomize=True)
@given(batches=BATCHES)
def test_batching_makes_no_difference_and_nothing_is_lost(histories: Lake, batches: list[list[str]]) -> None:
    sent = [message for batch in batches for message in batch]
    first: dict[str, str] = {}
    for message in sent:
        first.setdefault(message[0], message)
    accepted = {message for id_, message in first.items() if id_ != REJECTED}
    conflicts = set(sent) - accepted - {REJECTED}
    with tempfile.TemporaryDirectory() as folder:
        lake = new_lake(histories.spark, Path(folder))
        send(lake, *batches)
        drain(lake)
        kept, quarantined = events(lake), quarantine(lake)
        assert counted(lake) == len(kept)
    assert kept == sorted(accepted)
    assert quarantined == sorted([*conflicts, *[REJECTED] * sent.count(REJECTED)])
    repeats = sum(count - 1 for message, count in Counter(sent).items() if message != REJECTED)
    assert len(kept) + len(quarantined) + repeats == len(sent)
