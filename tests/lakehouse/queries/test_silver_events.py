"""silver.events and its quarantine, from a stream of files in place of Kafka: repeats, conflicts, rejected, replays.

A message is two letters: `aB` has id `a` and content `B`. `!` is a record that is not JSON. `|` ends a micro-batch.
Every content happened years before or after the others: nothing is ever late.
"""

import dataclasses
import json
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from lakehouse.config import LakeConfig, load
from lakehouse.events import dedupe
from lakehouse.events.parse import parse
from lakehouse.events.reasons import ID_CONFLICT, MALFORMED_JSON
from lakehouse.lake.delta import Lake
from lakehouse.lake.transaction import Transaction
from lakehouse.queries import silver_events
from lakehouse.tables.contract import Table
from lakehouse.tables.events import SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests.rows import RECORD, Value, add_batch, row, stream, track

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


def new_lake(spark: SparkSession, folder: Path) -> Lake:
    lake = Lake(
        spark, dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=str(folder / "lake"), keep_hours=1))
    )
    lake.create(SILVER_EVENTS)
    lake.create(SILVER_EVENT_FAULTS)
    lake.create(SILVER_EVENTS_QUARANTINE)
    return lake


def send(lake: Lake, *batches: list[str]) -> None:
    for batch in batches:
        add_batch(Path(lake.root).parent / "records", [value(message) for message in batch])


def drain(lake: Lake) -> None:
    folder = Path(lake.root).parent / "records"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silver_events, "read_records", lambda lake, max_offsets, query: stream(lake.spark, folder))
        silver_events.start(lake, available_now=True).awaitTermination()


def events(lake: Lake) -> list[str]:
    return sorted(r["message_id"] + r["product_id"] for r in lake.read(SILVER_EVENTS).collect())


def quarantine(lake: Lake) -> list[str]:
    """Its messages; each must be there for the right reason."""
    return sorted(_quarantined(r["reason"], r["value"]) for r in lake.read(SILVER_EVENTS_QUARANTINE).collect())


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


def test_a_batch_without_bad_records_makes_no_commit_in_quarantine(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    send(lake, ["aA", "bA"], ["aA"], ["aB"])
    drain(lake)
    query = json.loads(Path(lake.checkpoint("silver_events"), "metadata").read_text())["id"]
    application = f"silver_events:{query}:silver.events"
    assert commits(lake, SILVER_EVENTS)[:3] == [application] * 3
    assert commits(lake, SILVER_EVENTS_QUARANTINE) == [f"{application}_quarantine"]
    assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["aB"])


def test_the_clock_is_the_next_full_hour(spark: SparkSession) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    (clock,) = spark.range(1).select(silver_events.next_hour()).first() or []
    assert (clock.minute, clock.second, clock.microsecond) == (0, 0, 0)
    assert before < clock <= datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


def answered(lake: Lake, **places: str) -> DataFrame:
    """What a state that knows nothing answers to messages at places `p<partition>_<offset>`."""
    rows = []
    for place, message in places.items():
        partition, offset = place.removeprefix("p").split("_")
        rows.append(row(value(message), int(offset), partition=int(partition)))
    asked = dedupe.ask(parse(lake.spark.createDataFrame(rows, RECORD), lake.config))
    clocked = asked.withColumn("remembered_at", silver_events.next_hour())
    return clocked.dropDuplicates(["asks", "asked_key", "asked_hash"]).localCheckpoint()


def test_replaying_a_batch_changes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    lake = new_lake(spark, tmp_path)
    for _ in range(2):
        rows = answered(lake, p0_0="aA", p0_1="aB", p0_2="bA", p0_3="!")
        silver_events.write_batch(lake, rows, ONCE)
        assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["!", "aB"])


def crash_before(patch: pytest.MonkeyPatch, table: Table) -> None:
    """From now on nothing can be appended to the table."""
    append = Lake.append

    def crash(self: Lake, frame: DataFrame, into: Table, once: Transaction) -> None:
        if into is table:
            raise OSError("no space left")
        append(self, frame, into, once)

    patch.setattr(Lake, "append", crash)


def test_after_a_crash_between_the_tables_the_replay_decides_as_before(spark: SparkSession, tmp_path: Path) -> None:
    # aA came at p0_0 and p1_2, aB at p1_1 and p0_9: of each content the state keeps one place, not always the same.
    lake = new_lake(spark, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        crash_before(patch, SILVER_EVENTS)
        with pytest.raises(OSError, match="no space left"):
            silver_events.write_batch(lake, answered(lake, p0_0="aA", p1_1="aB", p1_3="bA"), ONCE)
    assert (events(lake), quarantine(lake)) == ([], ["aB"])
    silver_events.write_batch(lake, answered(lake, p0_9="aB", p1_2="aA", p1_3="bA"), ONCE)
    assert (events(lake), quarantine(lake)) == (["aA", "bA"], ["aB"])


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


MESSAGES = st.one_of(st.just(REJECTED), st.tuples(st.sampled_from("abcd"), st.sampled_from("ABC")).map("".join))
BATCHES = st.lists(st.lists(MESSAGES, min_size=1, max_size=20), min_size=2, max_size=3)


@settings(max_examples=3, deadline=None, database=None, derandomize=True)
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
    assert kept == sorted(accepted)
    assert quarantined == sorted([*conflicts, *[REJECTED] * sent.count(REJECTED)])
    repeats = sum(count - 1 for message, count in Counter(sent).items() if message != REJECTED)
    assert len(kept) + len(quarantined) + repeats == len(sent)
