import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.changes import changes, fold
from lakehouse.tables.identity import SILVER_IDENTITY_LOG
from tests.lakehouse.identity.identity_graphs import at, examples


def answer(profiles: dict[str, str], cause: str | None = None) -> pd.DataFrame:
    """The columns of solve() that changes() reads."""
    frame = pd.DataFrame({"actor_id": list(profiles), "profile_id": list(profiles.values())}, dtype="str")
    return frame.assign(cause=pd.Series([cause] * len(frame), dtype=object))


def log_of(before: dict[str, str], after: dict[str, str], batch_id: int = 1) -> pd.DataFrame:
    return changes(answer(before), answer(after), batch_id=batch_id, changed_at=at(batch_id))


def types(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    log = log_of(before, after)
    return dict(zip(log["actor_id"], log["type"], strict=True))


def test_actors_of_a_new_profile_are_created():
    assert types({}, {"a": "a", "b": "a"}) == {"a": "create", "b": "create"}


def test_a_new_actor_attaches_to_a_profile_that_existed():
    assert types({"a": "a"}, {"a": "a", "b": "a"}) == {"b": "attach"}


def test_a_profile_that_joins_an_older_one_merges():
    assert types({"a": "a", "b": "b", "c": "b"}, {"a": "a", "b": "a", "c": "a"}) == {"b": "merge", "c": "merge"}


def test_a_profile_renamed_after_an_older_actor_merges_into_the_new_name():
    assert types({"b": "b", "c": "b"}, {"a": "a", "b": "a", "c": "a"}) == {"a": "create", "b": "merge", "c": "merge"}


def test_a_profile_renamed_after_another_of_its_actors_merges():
    assert types({"a": "a", "b": "a"}, {"a": "b", "b": "b"}) == {"a": "merge", "b": "merge"}


def test_actors_that_leave_others_behind_split():
    assert types({"a": "a", "b": "a", "c": "a"}, {"a": "a", "b": "b", "c": "b"}) == {"b": "split", "c": "split"}


def test_an_actor_that_leaves_others_behind_for_an_existing_profile_splits():
    assert types({"a": "a", "b": "a", "c": "c"}, {"a": "a", "b": "c", "c": "c"}) == {"b": "split"}


def test_of_a_profile_that_falls_apart_the_part_in_an_older_profile_merged_and_the_part_under_a_new_name_split():
    before = {"a": "a", "b": "a", "c": "a", "old": "old"}
    after = {"a": "old", "b": "b", "c": "b", "old": "old"}
    assert types(before, after) == {"a": "merge", "b": "split", "c": "split"}


def test_an_actor_that_was_not_solved_again_counts_as_staying():
    assert types({"a": "a", "b": "a"}, {"b": "b"}) == {"b": "split"}


def test_a_row_says_everything_the_contract_asks():
    log = changes(answer({"b": "b"}), answer({"a": "a", "b": "a"}, "email"), batch_id=7, changed_at=at(3))
    assert list(log.columns) == SILVER_IDENTITY_LOG.column_names
    rows = log.drop(columns="change_id").to_dict("records")
    common = {"to_profile_id": "a", "cause": "email", "batch_id": 7, "changed_at": pd.Timestamp(at(3))}
    assert rows == [
        {"type": "create", "actor_id": "a", "from_profile_id": None} | common,
        {"type": "merge", "actor_id": "b", "from_profile_id": "b"} | common,
    ]


def test_nothing_changed_gives_no_rows_but_all_columns():
    log = log_of({"a": "a", "b": "a"}, {"a": "a", "b": "a"})
    assert len(log) == 0
    assert list(log.columns) == SILVER_IDENTITY_LOG.column_names
    assert len(log_of({}, {})) == 0


def test_a_change_id_depends_on_batch_actor_and_both_profiles_and_on_nothing_else():
    first = changes(answer({"b": "b"}), answer({"b": "a"}), batch_id=1, changed_at=at(1))["change_id"].item()
    same = changes(answer({"b": "b"}), answer({"b": "a"}, "email"), batch_id=1, changed_at=at(2))["change_id"].item()
    assert first == same
    others = [
        log_of({"b": "b"}, {"b": "a"}, batch_id=2),
        log_of({"b": "b"}, {"b": "c"}),
        log_of({"b": "c"}, {"b": "a"}),
        log_of({}, {"b": "a"}),
        log_of({"c": "b"}, {"c": "a"}),
    ]
    assert len({first, *(log["change_id"].item() for log in others)}) == 6


def test_fold_takes_the_last_row_of_every_actor():
    log = pd.concat(
        [log_of({"a": "b"}, {"a": "c"}, 3), log_of({}, {"a": "a", "b": "b"}, 1), log_of({"a": "a"}, {"a": "b"}, 2)]
    )
    assert fold(log).to_dict("records") == [{"actor_id": "a", "profile_id": "c"}, {"actor_id": "b", "profile_id": "b"}]


def test_fold_puts_a_repair_where_its_time_says():
    repair = log_of({"a": "a"}, {"a": "b"}, 2).assign(batch_id=-1)
    assert fold(pd.concat([repair, log_of({}, {"a": "a"}, 1)]))["profile_id"].tolist() == ["b"]
    assert fold(pd.concat([repair, log_of({"a": "b"}, {"a": "c"}, 3)]))["profile_id"].tolist() == ["c"]


_MAPS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef"))


@given(st.lists(_MAPS, min_size=1, max_size=5))
@examples(50)
def test_the_log_of_any_run_of_maps_folds_to_the_last(updates):
    current, logs = {}, []
    for batch_id, update in enumerate(updates):
        logs.append(log_of(current, current | update, batch_id))
        current |= update
    folded = fold(pd.concat(logs, ignore_index=True).sample(frac=1, random_state=len(logs)))
    assert dict(zip(folded["actor_id"], folded["profile_id"], strict=True)) == current


@given(_MAPS, _MAPS)
@examples(50)
def test_types_mean_what_they_say(before, update):
    after = before | update
    for row in log_of(before, after).itertuples():
        stayed = any(after[actor] == profile == row.from_profile_id for actor, profile in before.items())
        assert (row.type in ("create", "attach")) == (row.actor_id not in before)
        assert row.type != "create" or row.to_profile_id not in before.values()
        assert row.type != "attach" or row.to_profile_id in before.values()
        assert row.type != "merge" or not stayed
        assert not (row.actor_id in before and stayed) or row.type == "split"
