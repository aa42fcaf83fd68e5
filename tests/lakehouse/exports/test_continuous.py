"""An export kept up to date beside streams: who changed is sent, who withdrew goes, and wherever the process or the destination dies it goes on."""

import dataclasses
import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from deltalake import DeltaTable
from prometheus_client import generate_latest

from lakehouse.actions.delivery import Retry
from lakehouse.errors import ExportError
from lakehouse.exports import continuous
from lakehouse.exports.continuous import ContinuousExport
from lakehouse.exports.declaration import export_named
from lakehouse.exports.heard import Hearing
from lakehouse.exports.places.postgres import PostgresPlace
from lakehouse.exports.plan import plan_of_some
from lakehouse.machine import wait_until
from streaming import exports
from tests.lakehouse.exports.databases import shop, stored
from tests.lakehouse.exports.shop import Shop, adds_up, held_elsewhere, person

APPLY, VALUE = PostgresPlace.apply, Decimal("12.50")
TABLE = "kept"


class Killed(BaseException):
    """The process, at this moment."""


class World:
    """A shop whose export is kept up to date in a table of PostgreSQL. sent: of each batch its id, and the keys that were sent and removed."""

    def __init__(self, folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = shop(folder, port, TABLE, mode="mirror", is_continuous=True, batch_rows=2)
        self.port, self._patch = port, monkeypatch
        self.sent: list[tuple[str, set[str], set[str]]] = []
        self.fault = ""
        self.people: dict[str, dict[str, Any]] = {}
        monkeypatch.setattr(PostgresPlace, "apply", self._apply())

    def say(self, *rows: dict[str, Any]) -> None:
        """Let gold say this of these, and tell that it changed."""
        self.people |= {row["profile_id"]: row for row in rows}
        self.shop.people(*self.people.values())
        self.shop.changed(*(row["profile_id"] for row in rows))

    def there(self) -> dict[str, str]:
        return {key: values[0] for key, values in stored(self.port, TABLE).items()}

    def metric(self, name: str) -> float:
        lines = generate_latest(self.shop.meters.registry).decode().splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(f"stitchlake_export_{name}{{")))

    def later(self, seconds: float) -> None:
        self.shop.now += timedelta(seconds=seconds)

    def _apply(self) -> Any:
        def apply(place: PostgresPlace, batch_id: str, sends: Any, removals: Any) -> Any:
            self.sent.append((batch_id, {one.key for one in sends}, {one.key for one in removals}))
            if self.fault == "away":
                return {one.key: Retry("nobody there") for one in (*sends, *removals)}
            outcomes = APPLY(place, batch_id, sends, removals)
            if self.fault == "killed":
                raise Killed
            return outcomes

        return apply


def test_what_changes_is_sent_and_whoever_withdraws_goes(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(*(person(name, "old") for name in ("ann", "bob", "cat", "dan")))
    follower = world.shop.follower()
    follower.step()
    assert world.there() == dict.fromkeys(("ann", "bob", "cat", "dan"), "old"), (
        "everybody is compared at the first start"
    )

    world.say(person("ann", "new"))
    follower.step()
    assert world.there()["ann"] == "new"
    assert world.sent[-1][1:] == ({"ann"}, set()), "who is as they were is not sent again"
    world.say(person("bob", "new", consent_marketing=False))
    world.later(20)
    follower.step()
    assert "bob" not in world.there()
    read = [run["read"] for run in world.shop.runs()]
    assert (read[0], sum(read[1:])) == (4, 4 + 2), (
        "those of the last known time and since: all at first; then ann, and bob"
    )

    ids = [batch_id for batch_id, _, _ in world.sent]
    assert len(set(ids)) == len(ids), "two plans of one run are other batches"
    world.shop.suppress("cat", "token")
    world.later(6)
    follower.step()
    assert "cat" not in world.there(), "gold does not know it yet"

    world.fault = "away"
    world.say(person("dan", "new"))
    with caplog.at_level(logging.WARNING):
        follower.step()
        follower.step()
        world.later(5)
        follower.step()
    assert len([line for line in caplog.messages if "nobody there" in line]) == 1, "one line, however often it is tried"
    assert world.metric("is_failing") == 1
    assert world.metric("waiting_profiles") > 0
    tries = len(world.sent)
    follower.step()
    assert len(world.sent) == tries, "it rests"
    world.fault = ""
    world.later(60)
    follower.step()
    assert world.there() == {"ann": "new", "dan": "new"}
    assert (world.metric("is_failing"), world.metric("waiting_profiles")) == (0, 0)
    follower.close()
    assert world.shop.ledger() == dict.fromkeys(("ann", "dan"), ("delivered", True))
    assert all(adds_up(run) for run in world.shop.runs())
    counts = world.shop.run().counts
    assert (counts["delivered"], counts["removed"], counts["unchanged"]) == (0, 0, 2), "a full comparison finds nothing"


def test_a_process_that_is_killed_is_gone_on_with(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    names = [f"p{number}" for number in range(6)]
    world.say(*(person(name, "old") for name in names))
    first = world.shop.follower()
    first.step()
    first.close()
    world.say(*(person(name, "new") for name in names[:4]))
    world.sent.clear()
    world.fault = "killed"
    with pytest.raises(Killed):
        first.step()
    world.fault = ""
    second = world.shop.follower()
    second.step()
    second.close()
    assert world.there() == {name: "new" if name in names[:4] else "old" for name in names}
    assert world.sent[1] == world.sent[0], "the batch of open outcome comes again as it was, under its id"
    assert [sent for _, sent, _ in world.sent[2:]] == [set(names[2:4])]
    assert world.shop.runs()[-2]["state"] == "interrupted"
    world.sent.clear()
    third = world.shop.follower()
    third.step()
    third.close()
    assert world.sent == [], "where nothing changed nothing is compared"
    assert world.shop.run().counts["delivered"] == 0


def test_what_was_not_sent_when_the_process_ended_is_sent_by_the_next(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    names = [f"p{number}" for number in range(4)]
    world.say(*(person(name, "old") for name in names))
    first = world.shop.follower()
    first.step()
    world.say(*(person(name, "new") for name in names))
    world.fault = "away"
    first.step()
    world.later(5)
    world.say(person("p9", "new"))
    first.step()
    first.close()
    world.fault = ""
    second = world.shop.follower()
    second.step()
    second.close()
    told = "those of the first batch are in the ledger, the others are not; and the feed was looked at beyond them"
    assert world.there() == dict.fromkeys([*names, "p9"], "new"), told


def test_nobody_knows_who_changed_where_the_feed_or_what_is_declared_is_another(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(person("ann", "old"), person("bob", "old"))
    follower = world.shop.follower()
    follower.step()
    world.say(person("cat", "old"))
    follower.step()  # a run is open, and the ledger's rows do not know of cat yet
    assert set(world.there()) == {"ann", "bob", "cat"}
    del world.people["cat"]
    world.people["ann"] = person("ann", "new")
    world.shop.people(*world.people.values())
    DeltaTable(world.shop.lake / "gold" / "changes").delete()
    follower.step()
    assert world.there() == {"ann": "new", "bob": "old"}
    quiet = {"name": "q", "owner": "o", "layer": "q", "buckets": [0, 10000], "baseline": "a", "metrics": ["converted"]}
    quiet |= {"arms": [{"name": "a", "offers": "none"}, {"name": "b", "offers": "none"}]}
    world.shop.experiments = {"experiments": [quiet]}
    world.shop.files()
    follower.step()
    assert world.there() == {}, "an experiment began that keeps everything from everybody"
    follower.close()


def test_what_decides_about_everybody_alike_is_compared_with_what_it_was(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(person("ann", "old"), person("bob", "old", consent_marketing=True))
    world.say(person("cat", "old"))  # of whom alone the feed tells from now on

    def looked_at() -> int:
        """Batches that a process sends which has just started."""
        world.sent.clear()
        follower = world.shop.follower()
        follower.step()
        follower.close()
        return len(world.sent)

    def otherwise(**sections: Any) -> None:
        config = world.shop.config
        changed = {name: dataclasses.replace(getattr(config, name), **told) for name, told in sections.items()}
        world.shop.config = dataclasses.replace(config, **changed)

    assert (looked_at(), looked_at()) == (2, 0)
    otherwise(consent={"never_asked": "denied"})
    looked_at()
    assert set(world.there()) == {"bob"}, "nobody asked ann, nor cat"
    otherwise(consent={"jurisdictions": {"DE": ("marketing",)}})
    world.people["bob"] = person("bob", "new", consent_marketing=True)
    world.shop.people(*world.people.values())
    looked_at()
    assert world.there() == {"bob": "new"}, "everybody is compared, whoever the feed names"
    world.shop.destination |= {"host": "localhost"}
    assert looked_at() == 1, "another place has nothing of what was sent to this one"
    assert looked_at() == 0


def test_hashes_are_of_the_key_the_place_and_the_shape_that_is_meant(tmp_path: Path) -> None:
    one = Shop(tmp_path, {"kind": "webhook", "url": "http://127.0.0.1:9/hook"})

    def secret(url: str = "http://127.0.0.1:9/hook", key: str | None = None, **export: Any) -> bytes:
        one.destination |= {"url": url}
        exporting = one.exporting(one.slept.append)
        if key is not None:
            privacy = dataclasses.replace(one.config.privacy, hmac_key=key)
            exporting = dataclasses.replace(exporting, config=dataclasses.replace(one.config, privacy=privacy))
        declared = export_named(exporting.files.exports, "people").model_copy(update=export)
        return exporting.secret(declared, exporting.destination(declared))

    same = secret()
    assert secret(shape="rows") == same, "who names the default says the same"
    others = [secret(key="another"), secret(url="http://127.0.0.1:9/other"), secret(into="x"), secret(shape="braze")]
    assert len({same, *others}) == 5


def test_while_words_wait_a_plan_is_made_once_and_whoever_withdraws_goes_all_the_same(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(*(person(name, "old") for name in ("ann", "bob", "cat")))
    follower = world.shop.follower()
    follower.step()
    planned, heard = list[set[str]](), [False]

    def plan(*asked: Any, **told: Any) -> Any:
        planned.append(set(asked[5]))
        return plan_of_some(*asked, **told)

    monkeypatch.setattr(continuous, "plan_of_some", plan)
    monkeypatch.setattr(Hearing, "is_heard", lambda _: heard[0])
    world.say(person("ann", "new"))
    for _ in range(5):
        world.later(3)
        follower.step()
    assert planned == [{"ann", "bob", "cat"}], "all of the last known time, once"
    world.later(20)
    world.say(person("bob", "old", consent_marketing=False))
    follower.step()
    assert set(world.there()) == {"ann", "cat"}
    assert world.there()["ann"] == "old"
    heard[0] = True
    world.later(3)
    follower.step()
    follower.close()
    assert world.there() == {"ann": "new", "cat": "old"}
    assert len(planned) == 3


def test_a_clock_that_is_set_back_holds_up_nothing(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(person("ann", "old"), person("bob", "old"))
    follower = world.shop.follower()
    follower.step()
    world.fault = "away"
    world.say(person("ann", "new"))
    follower.step()
    world.fault = ""
    world.later(-3600)
    world.shop.suppress("bob", "token")
    follower.step()
    assert world.there() == {"ann": "new"}, "neither a rest nor the last look at suppressions is an hour ahead"
    follower.close()


def test_a_run_by_hand_and_the_process_take_turns(
    tmp_path: Path, postgres_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(person("ann", "old"))
    follower = world.shop.follower()
    with held_elsewhere(world.shop) as let_go, caplog.at_level(logging.WARNING):
        follower.step()
        assert (world.sent, caplog.messages) == ([], []), "somebody runs it by hand, and that is no failure"
        assert world.shop.run(sleep=lambda _: let_go()).counts["delivered"] == 1, "it waits for its turn"
    world.later(5)
    follower.step()
    follower.close()
    assert len(world.sent) == 1


def test_a_file_is_no_destination_for_this(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path)}, into="p.csv", mode="mirror", is_continuous=True)
    one.people(person("ann"))
    one.changed("ann")
    with caplog.at_level(logging.WARNING):
        one.follower().step()
    assert "expected false where a file is replaced as a whole" in caplog.text
    assert not (tmp_path / "p.csv").exists()


def test_the_process_keeps_what_is_declared_up_to_date_and_ends_what_is_under_way(
    tmp_path: Path,
    postgres_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(tmp_path, postgres_port, monkeypatch)
    world.say(person("ann", "old"))
    tries, pauses, stopped = [0], list[int](), Event()

    def made() -> ContinuousExport:
        tries[0] += 1
        if tries[0] == 1:
            raise ExportError("lake.root: no lake yet")
        if tries[0] == 2:
            raise KeyError("ann@example.com")
        assert world.metric("is_failing") == 1
        return world.shop.follower()

    monkeypatch.setattr(exports, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(exports, "pause_after", lambda failures: pauses.append(failures) or timedelta(0))

    def broken(_: ContinuousExport) -> None:
        raise RuntimeError("whatever it is")

    process = Thread(target=exports.keep, args=({"people": made}, world.shop.meters, stopped))
    process.start()
    try:
        assert wait_until(lambda: bool(world.sent), 20)
        world.say(person("ann", "new"))
        assert wait_until(lambda: len(world.sent) > 1, 20)
        with monkeypatch.context() as patched:
            patched.setattr(ContinuousExport, "step", broken)
            assert wait_until(lambda: len(pauses) > 3, 20), "the thread lives, whatever breaks"
            assert world.metric("is_failing") == 1
        world.say(person("ann", "newer"))
        assert wait_until(lambda: world.there() == {"ann": "newer"}, 20)
    finally:
        stopped.set()
        process.join()
    assert pauses[:4] == [0, 1, 0, 1], "ever longer, until it goes well"
    told = [line for line in caplog.messages if "Tried again" in line]
    assert len(told) == 3, "each kind once"
    assert "got KeyError in made, line" in told[1]
    assert "ann@example.com" not in caplog.text
    assert capsys.readouterr().out == "ready\n"
    assert {run["state"] for run in world.shop.runs()} == {"finished"}
