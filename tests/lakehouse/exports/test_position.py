import logging
from pathlib import Path

import pytest

from lakehouse.exports import position
from lakehouse.exports.position import FOLDER, NOBODY_LOOKED, Kept
from tests.accepted import at

KEPT = Kept({"gold.changes": at("2026-03-01 12:00")}, "digest")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert position.read(str(tmp_path), "people") == NOBODY_LOOKED
    position.write(str(tmp_path), "people", KEPT)
    assert position.read(str(tmp_path), "people") == KEPT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"declared": "digest", "position": {"gold.cha',
        b"[]",
        b"null",
        b'{"declared": "digest"}',
        b'{"declared": "digest", "position": ["gold.changes"]}',
        b'{"declared": "digest", "position": {"gold.changes": 12}}',
        b'{"declared": "digest", "position": {"gold.changes": "2026-03-01T12:00:00"}}',
        b"\xff\xfe\x00",
    ],
)
def test_one_that_cannot_be_read_is_told_and_nobody_has_looked(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "people.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert position.read(str(tmp_path), "people") == NOBODY_LOOKED
    assert "Everybody is compared" in caplog.text
