"""Facts of no person: what is told is read again, and nothing else is taken for one."""

import hashlib
import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config import load
from lakehouse.events import facts
from lakehouse.events.envelope import FACTS
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.events.facts import Availability, ExperimentStart
from lakehouse.events.reader import Reader
from lakehouse.events.reasons import REASONS

CONFIG = load("dev", environ={})
READER = EventReader(CONFIG)
NOW_US = 1_795_774_800_000_000
FIELDS = ("product_id", "is_available", "experiment", "layer", "buckets", "salt", "arms", "timestamp")
names = st.text('ab "\\\0ß😀', min_size=1, max_size=4) | st.just("x" * 200)
times = st.integers(0, 253_402_300_799_000)
weights = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
arms = st.lists(st.tuples(names, weights), min_size=1, max_size=3) | st.just([("a", 6.103515625e-05)] * 20)
told = st.one_of(
    st.builds(Availability, product_id=names, is_available=st.booleans(), at_ms=times),
    st.builds(
        ExperimentStart,
        experiment=names,
        layer=names,
        buckets=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
        salt=names | st.just(""),
        arms=arms.map(tuple),
        at_ms=times,
    ),
)
junk = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**70,
        0.5,
        1e999,
        "",
        "a",
        "\ud83d",
        "2026-11-27T10:00:00Z",
        [],
        {},
        [0, 5000],
        [1, True],
        [0, 1, 2],
    ]
    + [[{"name": "a", "weight": weight}] for weight in (1, 0, -1, 2**2000, True, "1", None, float("inf"))]
    + [[{"name": ""}], [{}], ["a"], {"name": "a", "weight": 1}]
)


@given(told)
def test_what_is_told_is_read_again_and_the_same_fact_is_the_same_record(fact: facts.Fact) -> None:
    key, value = facts.record(fact)
    assert facts.record(fact) == (key, value)
    assert facts.read(orjson.loads(value)) == fact


@given(told)
def test_a_fact_is_no_event_of_anybody(fact: facts.Fact) -> None:
    _, value = facts.record(fact)
    row = READER.read(value, NOW_US, NOW_US)
    assert (row.fact, row.verdict) == (facts.written(fact), "fact|")
    assert row._replace(fact=None, verdict=None) == EventRow()
    assert Reader(CONFIG).identifiers(orjson.loads(value)) == []


@given(st.sampled_from(FACTS), st.dictionaries(st.sampled_from(FIELDS), junk))
def test_what_cannot_be_read_is_rejected_with_a_reason(type_: str, sent: dict[str, Any]) -> None:
    message = {"type": type_, "timestamp": sent.pop("timestamp", "2026-11-27T10:00:00Z"), "properties": sent}
    row = READER.read(json.dumps(message).encode("utf-8", "surrogatepass"), NOW_US, NOW_US)
    assert row.verdict is not None
    reason = row.verdict.partition("|")[0]
    assert (reason == "fact") == (row.fact is not None)
    assert reason == "fact" or reason in REASONS


def test_a_fingerprint_is_that_of_earlier_releases() -> None:
    start = ExperimentStart(
        experiment="one", layer="l", buckets=(0, 5000), salt="s", arms=(("a", 1.0), ("b", 3.0)), at_ms=7
    )
    expected = hashlib.sha256(b'["one","l",[0,5000],"s",[["a",1.0],["b",3.0]]]').hexdigest()[:16]
    assert start.fingerprint == expected
