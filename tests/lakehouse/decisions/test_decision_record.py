"""What is kept of a decision is read back as it was, and each of its messages is known for one."""

import dataclasses

import orjson
import pytest

from lakehouse.decisions import decision_record
from lakehouse.decisions.decision_record import DecisionRecord
from lakehouse.errors import StoreError

RECORD = DecisionRecord(
    decision_id="d1",
    kind="offer",
    unit="p-ana",
    at_ms=1,
    action="gift",
    propensity=0.25,
    is_forced=False,
    policy="thompson",
    policy_version="thompson-7",
    shown_on="x:anonymous_id:ana",
    experiments={"quiet": "a"},
    features=(1.0, 0.5),
    context={"page_type": "cart"},
)


def test_a_record_is_read_back_as_it_was() -> None:
    assert decision_record.decode(RECORD.encode()) == RECORD


@pytest.mark.parametrize("value", [b"?", b"{}", b'{"decision_id": "d1", "features": []}', b"[]"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(StoreError):
        decision_record.decode(value)


def test_the_same_message_has_the_same_id_and_no_other_has() -> None:
    decision = decision_record.decision_message(RECORD, ["gift", "bundle"])
    exposures = decision_record.exposure_messages(RECORD, 2)
    outcomes = [decision_record.outcome_message(RECORD, metric, 1.0, 3) for metric in ("converted", "revenue")]
    ids = [message["log_id"] for message in (decision, *exposures, *outcomes)]
    assert len(set(ids)) == len(ids) == 5
    assert decision_record.exposure_messages(RECORD, 9)[0]["log_id"] == exposures[0]["log_id"]
    assert [(message.get("experiment"), message.get("arm")) for message in exposures] == [(None, None), ("quiet", "a")]
    assert orjson.loads(decision["context"]) == {
        **{"page_type": "cart", "kind": "offer", "rule": None, "is_forced": False, "candidates": ["gift", "bundle"]},
        "arms": {"quiet": "a"},
    }


def test_a_policy_learns_of_what_it_chose_and_of_nothing_else() -> None:
    assert RECORD.is_explored
    for change in ({"is_forced": True}, {"features": ()}, {"kind": "products"}):
        assert not dataclasses.replace(RECORD, **change).is_explored
