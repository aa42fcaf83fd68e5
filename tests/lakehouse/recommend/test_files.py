import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.recommend import files
from lakehouse.recommend.recommender import Recommender
from tests.lakehouse.recommend.shops import NOW, by_hand, did


def test_what_is_written_is_what_is_served(tmp_path: Path) -> None:
    model = by_hand(product_ids=("kettle", "näive\n☕", *by_hand().product_ids[2:]))
    files.write(tmp_path, "3", model, {"as_of": "2026-01-31"})
    files.point(tmp_path, "3")
    served = Recommender.load_current(tmp_path)
    assert (served.version, served.about["as_of"], served.about["schema"]) == ("3", "2026-01-31", files.SCHEMA)
    for field in dataclasses.fields(model):
        np.testing.assert_array_equal(getattr(served.model, field.name), getattr(model, field.name))
    asked = {"now_ms": NOW, "count": 5}
    assert served.propose(did("view kettle"), **asked) == Recommender(model).propose(did("view kettle"), **asked)


def test_the_pointer_moves_forth_and_back_and_old_versions_go(tmp_path: Path) -> None:
    for version in map(str, range(1, 8)):
        files.write(tmp_path, version, by_hand(), {})
        files.point(tmp_path, version)
    assert files.current(tmp_path).name == "7"
    files.point(tmp_path, "5")
    assert Recommender.load_current(tmp_path).version == "5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "4", "5", "6", "7", "current"]
    with pytest.raises(ModelError, match=r"no version '1' to serve, got \['3', '4', '5', '6', '7'\]"):
        files.point(tmp_path, "1")
    assert files.current(tmp_path).name == "5"


def test_a_version_written_again_replaces_what_was_there(tmp_path: Path) -> None:
    for popularity in (0.25, 0.75):
        files.write(tmp_path, "1", by_hand(popularity=np.full(8, popularity, dtype=np.float32)), {})
    assert Recommender.load(tmp_path / "1").model.popularity[0] == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.npz", b"", "damaged, got sha256"),
        ("model.json", b"{", "no recommender"),
        ("model.json", b"[]", "another layout"),
        ("model.json", b'{"schema": 99}', "got schema 99, expected 2"),
        ("model.npz", None, "no recommender"),
    ],
)
def test_a_damaged_model_is_one_line(tmp_path: Path, file: str, content: bytes | None, said: str) -> None:
    folder = files.write(tmp_path, "1", by_hand(), {})
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        Recommender.load(folder)


def test_one_flipped_bit_is_noticed(tmp_path: Path) -> None:
    folder = files.write(tmp_path, "1", by_hand(), {})
    content = bytearray((folder / "model.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.npz").write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        Recommender.load(folder)


def test_a_whole_file_of_no_arrays_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for nonsense in (b"no zip", b""):
        monkeypatch.setattr(files, "packed", lambda _, content=nonsense: content)
        with pytest.raises(ModelError, match="unreadable"):
            Recommender.load(files.write(tmp_path, "1", by_hand(), {}))


@pytest.mark.parametrize("pointer", [None, "", "../elsewhere", "/etc", ".hidden", "\udcff"])
def test_a_pointer_to_no_folder_is_one_line(tmp_path: Path, pointer: str | None) -> None:
    if pointer is not None:
        (tmp_path / "current").write_bytes(pointer.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match=r"expected"):
        Recommender.load_current(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"neighbours": np.full((8, 3), 8, dtype=np.int32)},
        {"new": np.array([-2], dtype=np.int32)},
        {"factors": np.full((8, 2), np.nan, dtype=np.float32)},
        {"popularity": np.ones(7, dtype=np.float32)},
        {"category_of": np.full(8, 3, dtype=np.int32)},
        {"kind": "oracle"},
        {"product_ids": ("kettle",) * 8},
    ],
)
def test_arrays_that_are_no_model_are_refused(wrong: dict) -> None:
    with pytest.raises(ModelError, match=r"Run \./spark-submit\.sh ml/train_recommender\.py"):
        by_hand(**wrong)
