"""`identity` on a real small lake: what is asked for waits, is taken in once, and never contradicts what is in force."""

import dataclasses
import json
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.commands.identity import command
from lakehouse.config import Config, LakeConfig
from lakehouse.errors import LakeError, StitchlakeError
from lakehouse.identity import override_store
from lakehouse.identity.override_requests import Undo
from lakehouse.identity.override_store import WAITING, Taken, ask, pending, settle, store_of, take_in
from lakehouse.identity.overrides import NamedIdentifier, Override
from lakehouse.lake.delta import Lake
from lakehouse.lake.folders import Folder, HereFolder, RemoteFolder
from lakehouse.lake.lock import open_lake, writer

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
BY = "--by ann --why 'seen at the till'"
LINK = f"link user_id u-17 loyalty_id 4711 {BY}"


@pytest.fixture
def here(config: Config) -> Config:
    """A lake that no query has written to yet."""
    open_lake(config)
    return config


@pytest.fixture
def lake(spark: SparkSession, here: Config) -> Lake:
    return Lake(spark, here)


def identity(config: Config, words: str, minute: int = 0) -> str:
    return command(config, shlex.split(words), NINE + timedelta(minutes=minute))


def files(config: Config) -> list[Path]:
    return sorted(Path(config.lake.root, WAITING).glob("*.json"))


def take(lake: Lake, before: Taken | None = None) -> Taken:
    taken = take_in(lake, NINE + timedelta(hours=1), before)
    settle(lake, taken)
    return taken


def override_id(said: str) -> str:
    return next(word for word in said.split() if len(word) == 12 and set(word) <= set("0123456789abcdef"))


def named(taken: Taken) -> list[tuple[str, str]]:
    return list(taken.changed.itertuples(index=False, name=None))


def test_a_request_waits_is_taken_in_once_and_is_then_in_force(lake: Lake) -> None:
    config = lake.config
    with writer(config):  # as the stream holds it
        said = identity(config, LINK)
        assert said == f"link {override_id(said)} waits for the next micro-batch of the events query"
        assert f"{override_id(said)}  waiting      link   loyalty_id 4711 user_id u-17" in identity(config, "list")
        taken = take(lake)
    link = Override(
        action="link",
        identifiers=(NamedIdentifier("loyalty_id", "4711"), NamedIdentifier("user_id", "u-17")),
        created_by="ann",
        reason="seen at the till",
        created_at=NINE,
    )
    assert taken.active == [link]
    assert named(taken) == [("loyalty_id", "4711"), ("user_id", "u-17")]
    assert files(config) == []
    assert identity(config, "list").splitlines() == [
        f"{link.override_id}  active       link   loyalty_id 4711 user_id u-17",
        "    2026-03-01 09:00 UTC by ann: seen at the till",
    ]
    again = take(lake)
    assert again.active == [link]
    assert named(again) == []


def test_the_table_holds_a_row_per_override_as_the_contract_says(lake: Lake) -> None:
    block = override_id(identity(lake.config, f"block device_id kiosk {BY}"))
    link = override_id(identity(lake.config, LINK, minute=1))
    identity(lake.config, f"undo {link} --by bob --why 'wrong card'", minute=2)
    take(lake)
    rows = {row["override_id"]: row.asDict() for row in lake.read(override_store.SILVER_IDENTITY_OVERRIDES).collect()}
    common = {"created_by": "ann", "reason": "seen at the till"}
    assert rows == {
        block: common
        | {"override_id": block, "action": "block", "first_type": "device_id", "first_token": "kiosk"}
        | {"created_at": datetime(2026, 3, 1, 9)}
        | dict.fromkeys(["second_type", "second_token", "undone_by", "undone_reason", "undone_at"]),
        link: common
        | {"override_id": link, "action": "link", "first_type": "loyalty_id", "first_token": "4711"}
        | {"second_type": "user_id", "second_token": "u-17", "created_at": datetime(2026, 3, 1, 9, 1)}
        | {"undone_by": "bob", "undone_reason": "wrong card", "undone_at": datetime(2026, 3, 1, 9, 2)},
    }


def test_no_personal_value_is_kept(lake: Lake) -> None:
    identity(lake.config, f"unlink email Jane.Roe@fastmail.com phone '+1 212 555 0123' {BY}")
    (file,) = files(lake.config)
    take(lake)
    kept = (
        file.name + str(lake.read(override_store.SILVER_IDENTITY_OVERRIDES).collect()) + identity(lake.config, "list")
    )
    assert not any(part in kept.lower() for part in ("jane", "fastmail", "5550123", "555 0123"))


LOYALTY = f"link loyalty_id 4711 device_id tablet {BY}"
CONTRADICTIONS = [
    (
        [LINK],
        f"unlink loyalty_id 4711 user_id u-17 {BY}",
        "unlink loyalty_id 4711 user_id u-17: links tie them together",
    ),
    ([LINK], f"unlink user_id u-17 loyalty_id 4711 {BY}", "links tie them together, got link {0}. Undo {0} first"),
    ([LINK, LOYALTY], f"unlink device_id tablet user_id u-17 {BY}", "got link {1}, link {0}. Undo {1} or {0} first"),
    (
        [f"unlink user_id u-17 loyalty_id 4711 {BY}"],
        LINK,
        "it would join loyalty_id 4711 and user_id u-17, got unlink {0}",
    ),
    (
        [f"unlink user_id u-17 device_id tablet {BY}", LOYALTY],
        LINK,
        "it would join device_id tablet and user_id u-17, got unlink {0}, beside link {1}. Undo {0} first",
    ),
    ([LINK], f"block loyalty_id 4711 {BY}", "block loyalty_id 4711: a link names it, got link {0}"),
    ([f"block loyalty_id 4711 {BY}"], LINK, "loyalty_id 4711 is blocked, got block {0}. Undo {0} first"),
    (
        [],
        f"link user_id u-17 user_id u-18 {BY}",
        "2 values of user_id, got user_id u-17, user_id u-18, expected at most 1",
    ),
    (
        [LINK],
        f"link loyalty_id 4711 user_id u-18 {BY}",
        "it would join 2 values of user_id, got user_id u-17, user_id u-18",
    ),
]


@pytest.mark.parametrize("when", ["while they wait", "once they are in force"])
@pytest.mark.parametrize(("earlier", "asked", "said"), CONTRADICTIONS)
def test_a_contradiction_is_refused_and_named(lake: Lake, earlier: list[str], asked: str, said: str, when: str) -> None:
    ids = [override_id(identity(lake.config, words, minute)) for minute, words in enumerate(earlier)]
    if when == "once they are in force":
        take(lake)
    waiting = files(lake.config)
    with pytest.raises(StitchlakeError) as caught:
        identity(lake.config, asked, minute=10)
    assert said.format(*ids) in str(caught.value)
    assert files(lake.config) == waiting


def test_what_was_undone_contradicts_nothing(lake: Lake) -> None:
    link = override_id(identity(lake.config, LINK))
    identity(lake.config, f"undo {link} {BY}")
    assert f"{link}  undo waiting" in identity(lake.config, "list")
    identity(lake.config, f"unlink user_id u-17 loyalty_id 4711 {BY}")
    assert [override.action for override in take(lake).active] == ["unlink"]


@pytest.mark.parametrize("when", ["waiting", "in force"])
def test_the_same_again_is_there_already(lake: Lake, when: str) -> None:
    link = override_id(identity(lake.config, LINK))
    if when == "in force":
        take(lake)
    waiting = files(lake.config)
    said = identity(lake.config, f"link loyalty_id 4711 user_id ' u-17 ' {BY}", minute=5)
    assert said == f"link loyalty_id 4711 user_id  u-17 : there already, {link} of ann"
    assert files(lake.config) == waiting


def test_an_undo_takes_an_override_back_once(lake: Lake) -> None:
    link = override_id(identity(lake.config, LINK))
    taken = take(lake)
    assert identity(lake.config, f"undo {link} --by bob --why 'wrong card'", minute=1).startswith(
        f"undo of {link} waits"
    )
    assert f"{link}  undo waiting" in identity(lake.config, "list")
    taken = take(lake, taken)
    assert taken.active == []
    assert named(taken) == [("loyalty_id", "4711"), ("user_id", "u-17")]
    assert identity(lake.config, "list") == "no overrides"
    assert identity(lake.config, "list --all").splitlines()[-1] == "    undone 2026-03-01 09:01 UTC by bob: wrong card"
    with pytest.raises(StitchlakeError, match=f"undo {link}: undone already, by bob at 2026-03-01 09:01 UTC"):
        identity(lake.config, f"undo {link} {BY}", minute=2)
    with pytest.raises(StitchlakeError, match="undo 0123456789ab: no such override"):
        identity(lake.config, f"undo 0123456789ab {BY}")


def test_of_two_that_were_asked_for_at_once_the_later_is_rejected(lake: Lake) -> None:
    pair = (NamedIdentifier("email", "token"), NamedIdentifier("user_id", "u-17"))
    for action, by, minute in (("unlink", "zoe", 1), ("link", "ann", 0)):
        asked = NINE + timedelta(minutes=minute)
        ask(store_of(lake), Override(action=action, identifiers=pair, created_by=by, reason="x", created_at=asked))
    taken = take(lake)
    assert [(override.action, override.created_by) for override in taken.active] == [("link", "ann")]
    assert files(lake.config) == []
    assert pending(lake) == []
    assert "1 rejected when they were taken in" in identity(lake.config, "list")
    assert "rejected: unlink email token user_id u-17: links tie them together" in identity(lake.config, "list --all")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"action": "erase", "identifiers": [], "by": "x", "reason": "x", "at": "2026-03-01T09:00:00+00:00"}',
        '{"action": "block", "identifiers": [["a"]], "by": "x", "reason": "x", "at": "2026-03-01T09:00:00+00:00"}',
        '{"action": "block", "identifiers": [["device_id", "k"]], "by": "x", "reason": "x", "at": "2026-03-01T09:00:00"}',
        '{"action": "block", "identifiers": [["device_id", "k"]], "by": "x", "reason": "x", "at": "0001-01-01T00:00:00+09:00"}',
        '{"action": "block", "identifiers": [["email", "a@b.org"]], "by": "x", "reason": "x", "at": "2026-03-01T09:00:00Z"}',
        '{"action": "block", "identifiers": [["shoe", "44"]], "by": "x", "reason": "x", "at": "2026-03-01T09:00:00Z"}',
        '{"action": "block", "identifiers": [["device_id", "k"]], "by": "\\ud800", "reason": "x", "at": "2026-03-01T09:00:00Z"}',
        '{"action": "undo", "override_id": "x", "by": "x", "reason": "x", "at": "2026-03-01T09:00:00Z"}',
    ],
)
def test_a_file_that_is_no_request_is_rejected_and_stops_nothing(lake: Lake, text: str) -> None:
    identity(lake.config, LINK)
    Path(lake.root, WAITING, "by-hand.json").write_text(text)
    Path(lake.root, WAITING, "half.json.part").write_text("{")
    assert [override.action for override in take(lake).active] == ["link"]
    assert files(lake.config) == []
    (rejected,) = Path(lake.root, WAITING, "rejected").iterdir()
    assert set(json.loads(rejected.read_text())) == {"request", "reason", "rejected_at"}


def test_after_a_crash_what_was_taken_in_is_to_be_solved_again(lake: Lake) -> None:
    link = override_id(identity(lake.config, LINK))
    identity(lake.config, f"block device_id kiosk {BY}", minute=1)
    identity(lake.config, f"undo {link} {BY}", minute=2)
    first = take_in(lake, NINE)
    restarted = Lake(lake.spark, lake.config)
    second = take_in(restarted, NINE)
    assert second.known == first.known
    assert named(second) == named(first) == [("device_id", "kiosk"), ("loyalty_id", "4711"), ("user_id", "u-17")]
    assert lake.read(override_store.SILVER_IDENTITY_OVERRIDES).count() == 2
    settle(restarted, second)
    assert files(lake.config) == []
    assert named(take_in(restarted, NINE)) == []


def test_an_undo_of_another_at_the_same_moment_hides_nothing_of_what_is_to_be_solved(lake: Lake) -> None:
    link = override_id(identity(lake.config, LINK))
    take(lake)
    for minute, by in enumerate(("ann", "bob"), start=1):
        ask(store_of(lake), Undo(override_id=link, by=by, reason="x", at=NINE + timedelta(minutes=minute)))
    taken = take(lake)
    assert taken.known[link].undone_by == "ann"
    assert named(taken) == [("loyalty_id", "4711"), ("user_id", "u-17")]


def test_without_a_request_the_table_is_not_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    identity(lake.config, LINK)
    first = take(lake)
    monkeypatch.setattr(override_store, "read", lambda store: pytest.fail("read"))
    second = take(lake, first)
    assert second.known == first.known
    assert second.files == ()


def test_a_clock_that_is_behind_comes_after_what_it_follows(lake: Lake) -> None:
    link = override_id(identity(lake.config, LINK, minute=30))
    identity(lake.config, f"undo {link} {BY}", minute=0)
    identity(lake.config, f"unlink user_id u-17 loyalty_id 4711 {BY}", minute=-5)
    assert [override.action for override in take(lake).active] == ["unlink"]


def test_a_time_no_clock_can_show_moves_nobodys(lake: Lake) -> None:
    far = datetime.max.replace(tzinfo=UTC)
    block = Override(
        action="block", identifiers=(NamedIdentifier("device_id", "k"),), created_by="x", reason="x", created_at=far
    )
    ask(store_of(lake), block)
    identity(lake.config, LINK)
    assert [override.created_at for override in take(lake).active] == [NINE, far]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "identity: no such action, got ''"),
        ("lnik", "no such action, got 'lnik'; did you mean 'link'"),
        (f"link emial x user_id u {BY}", "link: unknown identifier type 'emial'; did you mean 'email'"),
        (f"link user_id null loyalty_id 1 {BY}", "a blocked or malformed user_id, got 'null'"),
        (f"block email not-an-address {BY}", "a blocked or malformed email, got 'not-an-address'"),
        (f"link user_id u user_id ' u ' {BY}", "the same identifier twice"),
        (f"link user_id u {BY}", "got 2 words after it, expected 2 times <identifier type> <value>"),
        (f"block user_id u email x {BY}", "got 4 words after it, expected 1 times"),
        (f"undo {BY}", "got 0 words after it, expected one override id"),
        ("list everything", "got 1 words after it, expected no further words"),
        ("block user_id u --by ann", "--why missing"),
        ("block user_id u --by ' ' --why x", "--by missing"),
        ("block user_id u --by", "got --by, expected --by WHO"),
        ("block user_id u --because x", "got --because"),
    ],
)
def test_what_cannot_be_asked_is_said(here: Config, words: str, said: str) -> None:
    with pytest.raises(StitchlakeError) as caught:
        identity(here, words)
    assert said in str(caught.value)
    assert files(here) == []


def test_options_may_be_written_with_an_equals_sign_and_anywhere(here: Config) -> None:
    identity(here, "--by=ann block --why='at the till' user_id u")
    assert "by ann: at the till" in identity(here, "list")


def test_where_no_lake_is_none_is_made(config: Config) -> None:
    with pytest.raises(LakeError, match=r"no lake, got no _stitchlake\.json"):
        identity(config, LINK)
    assert not Path(config.lake.root).exists()


def test_tokens_of_another_key_are_refused(here: Config) -> None:
    other = dataclasses.replace(here, privacy=dataclasses.replace(here.privacy, hmac_key="another"))
    with pytest.raises(LakeError, match=r"privacy\.hmac_key"):
        identity(other, LINK)


@pytest.fixture(params=["here", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "here":
        return HereFolder(tmp_path / "a folder")
    return RemoteFolder(request.getfixturevalue("spark"), f"file://{tmp_path}/a folder")


def test_a_folder_is_alike_here_and_by_hadoop(folder: Folder, tmp_path: Path) -> None:
    assert (folder.names(), folder.read("a.json")) == ([], None)
    folder.delete("a.json")
    folder.write("b.json", '{"who": "Zoë"}')
    folder.write("a.json", "old")
    folder.write("a.json", "new")
    assert folder.names() == ["a.json", "b.json"]
    assert (folder.read("a.json"), folder.read("b.json")) == ("new", '{"who": "Zoë"}')
    (tmp_path / "a folder" / "c.json.part").write_text("half")
    folder.delete("a.json")
    assert (folder.names(), folder.read("a.json")) == (["b.json"], None)


def test_where_delta_rs_cannot_go_spark_does_the_same(spark: SparkSession, config: Config, tmp_path: Path) -> None:
    """By Hadoop and Spark alone, as on an object store: the folder's name is one that delta-rs cannot open."""
    root = LakeConfig(root=str(tmp_path / "50%20off"), keep_hours=1)
    lake = Lake(spark, dataclasses.replace(config, lake=root))
    open_lake(lake.config)
    assert store_of(lake).spark is spark
    assert identity(lake.config, "list") == "no overrides"
    link = override_id(identity(lake.config, LINK))
    first = take(lake)
    identity(lake.config, f"undo {link} {BY}", minute=1)
    assert f"{link}  undo waiting" in identity(lake.config, "list")
    assert [override.override_id for override in first.active] == [link]
    assert actions(take(lake).known.values()) == [("link", False)]
    assert actions(take(lake).known.values()) == [("link", False)]


def actions(overrides: Iterable[Override]) -> list[tuple[str, bool]]:
    return [(override.action, override.is_active) for override in overrides]
