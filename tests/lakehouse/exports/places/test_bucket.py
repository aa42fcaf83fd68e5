"""A file in a real store that speaks S3: what it holds, that it is replaced as a whole, and what is told where it cannot be."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import ConfigError, DestinationAwayError, ExportError
from lakehouse.exports.places import bucket
from lakehouse.machine import free_port
from tests import s3_server
from tests.lakehouse.exports.shop import Shop, leaked, person


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of the bucket, and the destination."""
    folder = tmp_path_factory.mktemp("s3")
    with s3_server.running(folder) as told:
        destination = {"kind": "s3", "bucket": s3_server.BUCKET, "prefix": "crm", "endpoint": told["AWS_ENDPOINT_URL"]}
        keys = {"access_key": told["AWS_ACCESS_KEY_ID"], "secret_key": told["AWS_SECRET_ACCESS_KEY"]}
        yield folder / "data" / s3_server.BUCKET / "crm", destination | keys


def shop(folder: Path, destination: dict[str, Any], into: str, **export: Any) -> Shop:
    return Shop(folder, destination, into=into, **{"mode": "mirror", **export})


def below(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_a_file_is_put_as_a_whole_and_replaced_where_anything_changed(
    tmp_path: Path, store: tuple[Path, dict[str, Any]]
) -> None:
    there, destination = store
    one = shop(tmp_path, destination, "people.csv")
    one.people(person("ann", "=1+1"), person("bob"))
    assert one.run().counts["delivered"] == 2
    assert list(csv.reader((there / "people.csv").open(newline=""))) == [
        ["id", "segment", "revenue"],
        ["ann", "'=1+1", "12.50"],
        ["bob", "loyal", "12.50"],
    ]
    before = (there / "people.csv").stat().st_mtime_ns
    assert one.run().counts["delivered"] == 0
    assert (there / "people.csv").stat().st_mtime_ns == before
    one.people(person("ann"), person("bob", consent_marketing=False))
    assert one.run().counts["removed"] == 1
    assert "bob" not in (there / "people.csv").read_text()
    (there / "people.csv").unlink()
    with pytest.raises(ExportError, match="not there any more"):
        one.run()
    large = shop(below(tmp_path, "large"), destination, "people.jsonl")
    large.people(
        *(person(f"p{number:04}", "x" * 20_000) for number in range(1000))
    )  # two pieces of an upload, and more
    large.run()
    lines = (there / "people.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"p{number:04}" for number in range(1000)]


class Killed(BaseException):
    """The process, at this moment."""


def test_readers_see_the_object_of_before_wherever_an_upload_ends(
    tmp_path: Path, store: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, destination = store
    one = shop(tmp_path, destination, "whole.jsonl")
    one.people(person("ann", "old"))
    one.run()
    before = (there / "whole.jsonl").read_bytes()
    one.people(*(person(f"p{number}", "new") for number in range(9)))

    def broken(source: Any, to: Any, size: int) -> None:
        to.write(source.read(40))
        raise faults[-1]

    faults: list[BaseException] = [OSError("reset")]
    with monkeypatch.context() as patched:
        patched.setattr(bucket.shutil, "copyfileobj", broken)
        with pytest.raises(DestinationAwayError, match="does not answer, got OSError"):
            one.run()
        faults.append(Killed())
        with pytest.raises(Killed):
            one.run()
        patched.setattr(bucket.shutil, "copyfileobj", lambda source, to, size: to.write(source.read(40)))
        with pytest.raises(DestinationAwayError, match="got 40 bytes of "):
            one.run()
    assert (there / "whole.jsonl").read_bytes() == before
    assert one.run().counts["delivered"] == 9
    assert len((there / "whole.jsonl").read_text().splitlines()) == 9
    assert [path.name for path in there.iterdir() if "whole" in path.name] == ["whole.jsonl"]


def test_a_store_that_is_away_or_refuses_us_is_told_without_a_key(
    tmp_path: Path, store: tuple[Path, dict[str, Any]]
) -> None:
    _, destination = store
    one = shop(tmp_path, destination | {"secret_key": "wrong-one"}, "refused.csv")
    one.people(person("ann"))
    with pytest.raises(ExportError, match="refuses us") as refused:
        one.run()
    assert "wrong-one" not in str(refused.value)
    one = shop(below(tmp_path, "another"), destination | {"bucket": "no-such-bucket"}, "refused.csv")
    one.people(person("ann"))
    with pytest.raises(ExportError, match="refuses us"):
        one.run()
    one = shop(below(tmp_path, "away"), destination, "refused.csv")
    one.people(person("ann"))
    one.destination |= {"endpoint": f"http://127.0.0.1:{free_port()}"}
    one.config = dataclasses.replace(
        one.config, actions=dataclasses.replace(one.config.actions, max_attempts=1, timeout_seconds=1.0)
    )
    with pytest.raises(DestinationAwayError, match="does not answer"):
        one.run()
    one.destination |= {"endpoint": "https://127.0.0.1:9", "allow_private": False}
    with pytest.raises(ExportError, match="its address is private"):
        one.run()
    assert leaked(one, destination["secret_key"]) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"secret_key": None}, "expected both or neither"),
        ({"endpoint": "ftp://127.0.0.1"}, "endpoint: expected https"),
        ({"endpoint": "http://s3.example.com", "allow_private": False}, "http is only for a private network"),
        ({"prefix": "../up"}, "prefix"),
    ],
)
def test_what_is_no_store_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    destination = {"kind": "s3", "bucket": "a-bucket", "access_key": "k", "secret_key": "s", **changes}
    one = shop(tmp_path, {name: value for name, value in destination.items() if value is not None}, "people.csv")
    with pytest.raises(ConfigError, match=told):
        one.run()
