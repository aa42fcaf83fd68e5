"""What is to be done with a row, from what there is, what there was and who may be told of: every case, by a rule in plain words."""

import itertools

import pyarrow as pa
import pytest

from lakehouse.exports.difference import HELD, counts, difference
from lakehouse.exports.mapping import HASH, KEY

HERE = (None, "old", "new")  # not there, as it was told, changed
HELD_AS = (None, "delivered", "sending", "removing", "rejected", "dead")
MODES = ("insert", "update", "upsert", "mirror")


def rule(here: str | None, held: str | None, is_there: bool, refused: bool, mode: str, is_full: bool) -> str:
    if here is None:
        if not is_there:
            return "forget"
        return "remove" if refused or mode == "mirror" or held == "removing" else "keep"
    if refused:
        return "remove" if is_there else "withhold"
    if is_full or held in (None, "sending", "removing", "rejected"):
        return "send"
    if held == "dead":
        return "dead" if here == "old" else "send"
    return "same" if here == "old" or mode == "insert" else "send"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_full", [False, True])
def test_every_row_has_the_step_that_the_rule_says(mode: str, is_full: bool) -> None:
    cases = [
        case
        for case in itertools.product(HERE, HELD_AS, (False, True), (False, True))
        if (case[0] is not None or case[1] is not None)
        and not (case[1] is None and case[2])
        and not (case[1] in ("delivered", "sending", "removing") and not case[2])
    ]
    now, held, refused, expected = [], [], {}, {}
    for number, (here, state, is_there, is_refused) in enumerate(cases):
        key, profile = f"k{number:03}", f"p{number}"
        if here is not None:
            now.append({KEY: key, "profile_id": profile, HASH: here})
        if state is not None:
            held.append(
                {"key": key, "profile_id": profile, "state": state, "hash": "old", "is_there": is_there, "attempts": 0}
            )
        if is_refused:
            refused[profile] = "suppressed"
        expected[key] = rule(here, state, is_there, is_refused, mode, is_full)
    schema = pa.schema([(KEY, pa.string()), ("profile_id", pa.string()), (HASH, pa.string())])
    steps = difference(
        pa.Table.from_pylist(now, schema=schema),
        pa.Table.from_pylist(held, schema=HELD),
        refused,
        mode=mode,
        is_full=is_full,
        takes_all=False,
    )
    assert dict(zip(steps["key"].to_pylist(), steps["step"].to_pylist(), strict=True)) == expected
    assert sum(counts(steps).values()) == len(cases)


@pytest.mark.parametrize(("hash_", "sent"), [("old", 0), ("new", 2)])
def test_where_a_destination_is_replaced_as_a_whole_one_change_sends_all(hash_: str, sent: int) -> None:
    now = pa.table({KEY: ["a", "b"], "profile_id": ["a", "b"], HASH: [hash_, "old"]})
    held = [{"key": key, "profile_id": key, "state": "delivered", "hash": "old", "is_there": True} for key in "ab"]
    steps = difference(now, pa.Table.from_pylist(held, schema=HELD), {}, mode="mirror", is_full=False, takes_all=True)
    assert counts(steps)["send"] == sent
