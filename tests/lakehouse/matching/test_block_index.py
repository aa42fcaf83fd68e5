"""The index of blocks against two dictionaries."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.matching.block_index import BlockIndex
from tests.lakehouse.identity.identity_graphs import examples

ACTORS = ["ann", "anna", "bob", "cat", "dan"]
KEYS = ["k1", "k2", "k3"]
MOST = 2

blocks = st.dictionaries(
    st.sampled_from(ACTORS), st.tuples(st.lists(st.sampled_from(KEYS), unique=True), st.sampled_from("xy")), max_size=4
)


def rows_of(written) -> pa.Table:
    columns = {"actor_id": list(written), "fingerprint": [mark for _, mark in written.values()]}
    keys = pa.array([keys for keys, _ in written.values()], pa.list_(pa.string()))
    return pa.table({**columns, "block_keys": keys, "model_version": ["v7"] * len(written)})


@given(writes=st.lists(st.tuples(blocks, st.sets(st.sampled_from(ACTORS), max_size=2)), max_size=5), data=st.data())
@examples(150)
def test_it_says_what_two_dictionaries_say(tmp_path_factory, writes, data):
    index = BlockIndex(tmp_path_factory.mktemp("index"))
    stored: dict = {}
    try:
        for new, gone in writes:

            def change(transaction, new=new, gone=gone) -> None:
                index.remove(transaction, gone)
                index.put(transaction, rows_of(new))

            index.commit(change)
            stored = {actor: told for actor, told in stored.items() if actor not in gone} | new
        found = index.rows([*ACTORS, "nobody"])
        assert dict(
            zip(found["actor_id"], zip(found["block_keys"], found["fingerprint"], strict=True), strict=True)
        ) == {actor: (keys, mark) for actor, (keys, mark) in stored.items()}
        besides = data.draw(st.sets(st.sampled_from(ACTORS)))
        members, common = index.members([*KEYS, "none"], besides, MOST)
        held = {key: {a for a, (keys, _) in stored.items() if key in keys} - besides for key in KEYS}
        assert common == {key for key, actors in held.items() if len(actors) > MOST}
        assert sorted(members.itertuples(index=False, name=None)) == sorted(
            (actor, key) for key, actors in held.items() if key not in common for actor in actors
        )
    finally:
        index.close()


def test_a_block_everybody_is_in_is_counted_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = BlockIndex(tmp_path)
    everybody = {f"a{number:05d}": (["k1"], "x") for number in range(5_000)}
    index.commit(lambda transaction: index.put(transaction, rows_of(everybody)))
    monkeypatch.setattr(
        "lakehouse.matching.block_index._actors", lambda _: pytest.fail("read a block that pairs nobody")
    )
    assert index.members(["k1"], {"a00001"}, 50)[1] == {"k1"}
    index.close()
