from pathlib import Path

import pytest

from lakehouse.commands import preflight


def test_too_little_disk_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(preflight.PreflightError, match=r"too little disk, got 1\.9 GB free, expected 2 GB"):
        preflight.check_disk(tmp_path, 1.9)
    preflight.check_disk(tmp_path, 2.0)


def test_installed_means_a_python_and_the_very_same_requirements(tmp_path: Path) -> None:
    requirements = preflight.ROOT / "requirements.txt"
    stamp = preflight.stamp_of(requirements, tmp_path)
    assert not preflight.is_installed(requirements, tmp_path)
    stamp.write_bytes(requirements.read_bytes())
    assert not preflight.is_installed(requirements, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert preflight.is_installed(requirements, tmp_path)
    stamp.write_text("pyspark==1.0\n")
    assert not preflight.is_installed(requirements, tmp_path)


def test_each_requirements_file_has_a_note_of_its_own(tmp_path: Path) -> None:
    assert (
        preflight.stamp_of(preflight.ROOT / "tests" / "requirements.txt", tmp_path).name
        == ".installed-tests-requirements.txt"
    )
