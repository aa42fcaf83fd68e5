"""Actions done against a real HTTP server, with a controlled clock: once, in order of nobody else's trouble."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from lakehouse import machine
from lakehouse.actions.action import Action
from lakehouse.actions.deliverer import Deliverer, dead_message
from lakehouse.actions.delivery import Result, Sent, read
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.pace import Breaker, Bucket
from lakehouse.actions.performers import Perform, to_machine
from lakehouse.actions.turns import Turns
from lakehouse.actions.webhook import WebhookSender
from lakehouse.actions.worker import KEEP_MS, Worker
from lakehouse.config import load
from lakehouse.config.declarations import QuietHours
from lakehouse.decisions.gate import Permitted, Refused
from lakehouse.errors import StoreError
from lakehouse.online.lmdb_store import LmdbStore
from tests.lakehouse.actions.servers import Hook, http_server
from tests.lakehouse.decisions.circumstances import passed

SETTINGS = dataclasses.replace(load("dev", environ={}).actions, timeout_seconds=1.0, max_attempts=4)
NOON = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
NIGHT = QuietHours.model_validate({"from": "21:00", "to": "08:00", "zone": "UTC"})


class World:
    """One destination, its worker, and a clock that only the test moves."""

    def __init__(self, folder: Path, hook: Hook) -> None:
        self.folder = folder
        self.hook = hook
        self.now = NOON
        self.dead: list[dict[str, Any]] = []
        self.allows = True
        self.noted: list[str] = []
        self.is_away = False
        self.offer_quiet: QuietHours | None = None
        self.zone: str | None = None
        self.turns = Turns()
        self.store = LmdbStore(folder, survives=True)
        self.worker = self.make("crm", self.webhook())
        self.deliverer = Deliverer(self.store, [self.worker], bury=self.bury, now_ms=self.now_ms)

    def webhook(self) -> Perform:
        one = Webhook.model_validate({"name": "crm", "kind": "webhook", "url": self.hook.url, "allow_private": True})
        return to_machine(WebhookSender(one, timeout_seconds=1.0, clock=lambda: self.now).send, offers=dict)

    def make(self, name: str, perform: Perform, **changes: Any) -> Worker:
        return Worker(
            **{
                **{"destination": name, "store": self.store, "settings": SETTINGS, "quiet": NIGHT},
                **{"retries_unknown": True, "bucket": Bucket(100), "breaker": Breaker(failures=3, seconds=30)},
                **{
                    "clock": lambda: self.now,
                    "perform": perform,
                    "permit": lambda action: passed(action) if self.allows else Refused("consent"),
                },
                **{"turn": lambda action: self.turns.of(action.decision_id, self.capped(action))},
                **{"note": self.note, "offer_quiet": lambda _: self.offer_quiet, "zone": lambda _: self.zone},
                **{"give_up": lambda action, reason: self.bury(action.id, dead_message(action, reason))},
                **changes,
            }
        )

    def capped(self, action: Action) -> frozenset[str]:
        """Every offer has a cap."""
        return frozenset() if action.offer is None else frozenset({f"{action.identifiers[0][1]}:{action.offer}"})

    def note(self, action: Action) -> None:
        if self.is_away:
            raise StoreError("the store is away")
        self.noted.append(action.id)

    def bury(self, _: str, value: bytes) -> None:
        self.dead.append(json.loads(value))

    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def action(self, decision_id: str = "d1", **changes: Any) -> Action:
        told = {
            **{"decision_id": decision_id, "destination": "crm", "cause": "moment", "name": "abandoned_cart"},
            **{"identifiers": [["anonymous_id", "ana"]], "purpose": "marketing"},
            **{"created_ms": self.now_ms(), "expires_ms": self.now_ms() + 86_400_000},
        }
        return Action.model_validate(told | changes)

    def accept(self, *actions: Action) -> None:
        self.deliverer.accept([one.encode() for one in actions])

    def work(self, worker: Worker | None = None) -> None:
        """Until nothing is due now."""
        while (worker or self.worker).once() == 0:
            pass

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.work()

    def state(self, id_: str = "d1:crm") -> str | None:
        found = read(self.store, id_)
        return None if found is None else found.state


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with http_server() as hook:
        world = World(tmp_path / "kept", hook)
        yield world
        world.store.close()


def test_one_call_with_the_key_however_often_the_queue_tells_it(world: World) -> None:
    for _ in range(3):
        world.accept(world.action(), world.action())
        world.work()
    ((headers, body),) = world.hook.calls
    assert headers["Idempotency-Key"] == "d1:crm"
    assert (body["decision_id"], body["identifiers"]) == ("d1", [{"type": "anonymous_id", "token": "ana"}])
    assert world.state() == "sent"
    assert world.noted == ["d1:crm"]
    world.wait(KEEP_MS / 1000 + 1)
    assert world.state() is None
    world.accept(world.action())  # even now the store knows better
    world.work()
    assert len(world.hook.calls) == 1


def test_of_two_destinations_in_one_instant_only_one_finds_room_under_a_cap(world: World) -> None:
    called: list[str] = []

    def mail(permitted: Permitted[Action]) -> Result:
        called.append(permitted.what.id)
        return Sent()

    def crm(permitted: Permitted[Action]) -> Result:
        world.work(other)  # the other destination's thread, just while this one is under way
        return mail(permitted)

    def permit(action: Action) -> Permitted[Action] | Refused:
        return Refused("shown once") if "d1:crm" in world.noted else passed(action)

    capped: dict[str, Any] = {"permit": permit}
    other = world.make("mail", mail, **capped)
    one = world.make("crm", crm, **capped)
    world.deliverer = Deliverer(world.store, [one, other], bury=world.bury, now_ms=world.now_ms)
    offered: dict[str, Any] = {"offer": "bundle"}
    bo = {"identifiers": [["anonymous_id", "bo"]]}
    world.accept(
        world.action("d1", **offered),
        world.action("d1", destination="mail", **offered),
        world.action("d2", destination="mail", **offered),
        world.action("d3", destination="mail", **offered, **bo),
        world.action("d4", destination="mail"),
    )
    world.work(one)
    assert (called[-1], sorted(called[:-1])) == ("d1:crm", ["d1:mail", "d3:mail", "d4:mail"])
    world.now += timedelta(seconds=1)
    world.work(other)
    assert called[-1] == "d1:crm"
    assert world.state("d2:mail") == "suppressed"


def test_a_turn_that_ends_in_an_error_is_over(world: World) -> None:
    world.is_away = True
    world.accept(action := world.action(offer="bundle"))
    with pytest.raises(StoreError):
        world.work()
    with world.turns.of("d2", world.capped(action)) as is_free:
        assert is_free


def test_failures_are_tried_again_later_also_after_a_restart(world: World) -> None:
    world.hook.answers = [(503, {}), (429, {"Retry-After": "60"})]
    world.accept(world.action())
    world.work()
    assert len(world.hook.calls) == 1
    world.store.close()
    world.store = world.worker.store = LmdbStore(world.folder, survives=True)
    world.wait(2.1)
    assert len(world.hook.calls) == 2
    world.wait(30)
    assert len(world.hook.calls) == 2  # it asked for a minute
    world.wait(31)
    assert [headers["Idempotency-Key"] for headers, _ in world.hook.calls] == ["d1:crm"] * 3
    assert world.state() == "sent"


def test_after_the_last_attempt_it_is_given_up_with_the_reason(world: World) -> None:
    world.hook.answers = [(500, {})] * 9
    world.accept(world.action())
    world.work()
    for _ in range(10):
        world.wait(100)
    assert len(world.hook.calls) == SETTINGS.max_attempts
    assert [one["reason"] for one in world.dead] == ["4 attempts: status 500"]
    assert world.dead[0]["action"]["decision_id"] == "d1"
    assert world.state() == "failed"


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410])
def test_what_will_never_work_is_given_up_at_once_and_no_redirect_is_followed(world: World, status: int) -> None:
    world.hook.answers = [(status, {"Location": world.hook.url})]
    world.accept(world.action())
    world.work()
    assert len(world.hook.calls) == 1
    assert world.dead[0]["reason"] == f"status {status}"


def test_nobody_is_called_in_quiet_hours_and_everybody_after(world: World) -> None:
    world.now = NOON.replace(hour=23)
    world.accept(world.action(), world.action("d2", respects_quiet_hours=False))
    world.work()
    assert [body["decision_id"] for _, body in world.hook.calls] == ["d2"]
    world.now = NOON.replace(day=11, hour=7, minute=59)
    world.work()
    assert len(world.hook.calls) == 1
    world.wait(60)
    assert len(world.hook.calls) == 2


def test_it_is_the_recipients_own_night(world: World) -> None:
    world.zone = "Asia/Tokyo"  # 21:00 there
    world.accept(world.action(), world.action("d2", respects_quiet_hours=False))
    world.work()
    assert [body["decision_id"] for _, body in world.hook.calls] == ["d2"]
    world.wait(11 * 3600 - 60)  # 07:59 there, and the night of the declared zone
    assert len(world.hook.calls) == 1
    world.wait(60)
    assert len(world.hook.calls) == 2


def test_consent_withdrawn_while_it_waited_silences_it(world: World) -> None:
    world.now = NOON.replace(hour=23)
    world.accept(world.action())
    world.work()
    world.allows = False
    world.wait(86_400 / 2)
    assert world.hook.calls == []
    assert world.state() == "suppressed"
    assert world.dead == []


def test_what_was_sent_and_could_not_be_noted_is_noted_later_and_not_sent_again(world: World) -> None:
    world.is_away = True
    world.accept(world.action())
    with pytest.raises(StoreError):
        world.worker.once()
    assert (world.state(), world.noted) == ("sent", [])
    world.store.close()
    world.store = world.worker.store = LmdbStore(world.folder, survives=True)  # as after a crash
    world.is_away = False
    world.work()
    assert world.noted == ["d1:crm"]
    assert len(world.hook.calls) == 1
    assert world.worker.counts["sent"] == 1


def test_what_was_not_sent_is_not_noted(world: World) -> None:
    world.hook.answers = [(400, {})]
    world.accept(world.action())
    world.work()
    world.allows = False
    world.accept(world.action("d2"))
    world.work()
    assert (world.state(), world.state("d2:crm"), world.noted) == ("failed", "suppressed", [])


def test_an_offers_own_quiet_hours_hold_too(world: World) -> None:
    world.offer_quiet = QuietHours.model_validate({"from": "11:00", "to": "23:00", "zone": "UTC"})
    world.accept(world.action())
    world.work()
    world.wait(11 * 3600)  # the offer's are over, the destination's are not
    assert world.hook.calls == []
    world.wait(9 * 3600)
    assert len(world.hook.calls) == 1


def test_what_is_too_late_is_given_up(world: World) -> None:
    world.accept(world.action(expires_ms=world.now_ms() + 1000))
    world.wait(2)
    assert world.hook.calls == []
    assert world.dead[0]["reason"] == "expired"


def test_no_faster_than_the_rate(world: World) -> None:
    world.worker.bucket = Bucket(2)
    world.accept(*(world.action(f"d{n}") for n in range(12)))
    for _ in range(40):
        world.wait(0.1)
    assert 2 + 4 * 2 - 1 <= len(world.hook.calls) <= 2 + 4 * 2


def test_a_broken_destination_is_left_alone_for_a_while(world: World) -> None:
    world.hook.answers = [(500, {})] * 3
    world.accept(*(world.action(f"d{n}") for n in range(10)))
    world.work()
    assert len(world.hook.calls) == 3
    world.wait(29)
    assert len(world.hook.calls) == 3
    world.wait(2)
    assert len(world.hook.calls) == 13  # all that wait: seven, and three again


def test_a_crash_between_call_and_record_calls_again_with_the_same_key(world: World) -> None:
    crash(world, world.worker)
    world.wait(120)
    assert [headers["Idempotency-Key"] for headers, _ in world.hook.calls] == ["d1:crm"] * 2
    assert world.state() == "sent"


def test_where_a_key_is_not_honoured_a_crash_in_between_is_told_and_not_repeated(world: World) -> None:
    world.worker.retries_unknown = False
    crash(world, world.worker)
    world.wait(120)
    assert len(world.hook.calls) == 1
    assert world.dead[0]["reason"].startswith("unknown outcome")


def crash(world: World, worker: Worker) -> None:
    """The call gets through, the store's next write does not: as if the process had died there."""
    world.accept(world.action())
    real = world.store.put

    def put(documents):  # type: ignore[no-untyped-def]
        listed = list(documents)
        if any(b'"state":"sent"' in (one.value or b"") for one in listed):
            raise StoreError("the process died here")
        return real(listed)

    world.store.put = put  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        worker.once()
    world.store.put = real  # type: ignore[method-assign]
    assert world.state() == "sending"
    world.work()
    assert len(world.hook.calls) == 1  # another process may still be at it


def test_two_processes_call_once(world: World) -> None:
    second = world.make("crm", world.webhook())
    world.accept(*(world.action(f"d{n}") for n in range(30)))
    threads = [Thread(target=world.work, args=(one,)) for one in (world.worker, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(body["decision_id"] for _, body in world.hook.calls) == sorted(f"d{n}" for n in range(30))


def test_a_destination_that_hangs_keeps_no_other_waiting(world: World) -> None:
    done = Event()
    other = world.make("other", lambda _: done.set() or Sent(), breaker=Breaker())
    deliverer = Deliverer(world.store, [world.worker, other], bury=world.bury, now_ms=world.now_ms)
    world.hook.gate.clear()
    deliverer.start()
    deliverer.accept([world.action().encode(), world.action("d2", destination="other").encode()])
    assert done.wait(5)
    assert world.state() in ("sending", "waiting")
    world.hook.gate.set()
    deliverer.stop()
    assert machine.wait_until(lambda: world.state() in ("sending", "waiting", "sent"), 5)


def test_an_error_nobody_foresaw_is_an_attempt(world: World) -> None:
    def breaks(_: Permitted[Action]) -> Result:
        raise ZeroDivisionError

    worker = world.make("crm", breaks)
    world.accept(world.action())
    for _ in range(20):
        world.work(worker)
        world.now += timedelta(seconds=30)
    assert world.dead[0]["reason"] == "4 attempts: ZeroDivisionError"


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"decision_id": "x y"}', b"\xff", b"[" * 100_000])
def test_what_is_no_action_is_buried_with_its_bytes(world: World, value: bytes | None) -> None:
    world.deliverer.accept([value, world.action().encode()])
    assert len(world.dead) == 1
    assert "value_base64" in world.dead[0]
    assert world.state() == "waiting"


def test_an_action_for_nowhere_is_buried(world: World) -> None:
    world.accept(world.action(destination="gone"))
    assert world.dead[0]["reason"] == "no such destination"


class Patience:
    """A stop that comes after so many waits, which take no time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waits: list[float] = []

    def is_set(self) -> bool:
        return len(self.waits) == self.count

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize("error", [StoreError, ValueError])
def test_a_worker_outlasts_whatever_goes_wrong_for_hours(
    world: World, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def once() -> float:
        raise error("away")  # another one each time: what is raised again carries all its tracebacks along

    monkeypatch.setattr(world.worker, "once", once)
    stopped = Patience(1_100)  # at ten seconds each, three hours
    world.worker.run(stopped)  # type: ignore[arg-type] # as much of an Event as it asks for
    assert stopped.waits[:3] == [0.5, 1.0, 2.0]
    assert max(stopped.waits) == stopped.waits[-1] == 10.0
