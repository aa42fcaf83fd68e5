"""One destination's actions, one after the other: a slow or broken destination keeps nobody waiting but itself.

What happens once. The delivery's document is claimed before an attempt and settled after it. A crash between the two leaves
it open whether the destination took it: a webhook is called again with the same Idempotency-Key (at least once on the wire,
once in effect for whoever honours the key); an e-mail is not sent again, for nobody's mailbox honours one, and goes to the
dead topic as `unknown outcome` for a person to judge (at most once). `if_unknown` of a destination turns either around.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from lakehouse.actions import delivery as deliveries
from lakehouse.actions.action import Action
from lakehouse.actions.delivery import Delivery, GiveUp, Result, Retry, Sent, Suppressed, moved
from lakehouse.actions.pace import Breaker, Bucket, backoff, quiet_until
from lakehouse.config import ActionsConfig
from lakehouse.config.declarations import DAY_MS, QuietHours
from lakehouse.decisions.gate import Permitted, Refused
from lakehouse.errors import StitchlakeError, StoreError
from lakehouse.online.store import Entry, OnlineStore

log = logging.getLogger("stitchlake.actions")
IDLE_SECONDS = 0.25
KEEP_MS = 30 * DAY_MS  # how long a delivery is remembered, so that a replay of the queue finds it
_AT_ONCE = 50
_MOST_TIMERS = 2**31
_LONGEST_PAUSE = 10.0
_LEASE_MS = 60_000  # beyond the time-out, for looking up and writing the letter


@dataclass(kw_only=True)
class Worker:
    """`perform` does it; `permit` is asked right before, whether it may be; `note` writes down that it was done.

    `quiet`: of the destination; `offer_quiet`: of what the action offers; both are hours of the recipient's own day, whose `zone` is asked
    for, and of the declared zone where it is None. `turn`: whether no other decision is under way that
    counts for the same caps, and none is while it is held. `give_up` tells the dead topic. It and `note` return once that is
    safe, and may be called again with the same.
    """

    destination: str
    store: OnlineStore
    settings: ActionsConfig
    quiet: QuietHours | None
    offer_quiet: Callable[[Action], QuietHours | None]
    zone: Callable[[Action], str | None]
    retries_unknown: bool
    bucket: Bucket
    breaker: Breaker
    clock: Callable[[], datetime]
    turn: Callable[[Action], AbstractContextManager[bool]]
    perform: Callable[[Permitted[Action]], Result]
    permit: Callable[[Action], Permitted[Action] | Refused]
    note: Callable[[Action], None]
    give_up: Callable[[Action, str], None]
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("sent", "retried", "suppressed", "failed"), 0)
    )

    @property
    def timeline(self) -> str:
        """Key of the timeline of this destination's timers."""
        return f"due:{self.destination}"

    def run(self, stopped: Event) -> None:
        """Until stopped; whatever goes wrong is tried again, ever more slowly: a thread that ended would leave its destination silent."""
        failures = 0
        while not stopped.is_set():
            try:
                pause, failures = self.once(), 0
            except Exception as error:
                failures += 1
                pause = min(IDLE_SECONDS * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
                unforeseen = not isinstance(error, StitchlakeError)
                log.warning("destination %s: tried again: %s", self.destination, error, exc_info=unforeseen)
            stopped.wait(pause)

    def arm(self, id_: str, at_ms: int) -> None:
        """Look at the action of this id at that time, ms since 1970."""
        self.store.append({self.timeline: [Entry(at_ms, f"{at_ms}@{id_}", id_.encode())]}, keep=_MOST_TIMERS)

    def once(self) -> float:
        """Do what is due; seconds until it is worth looking again.

        Raises:
            StoreError: the store does not answer. What was sent and not written down is as after a crash.
        """
        due = self.store.until(self.timeline, self._now_ms(), _AT_ONCE)
        for entry in due:
            if (pause := self._turn(entry)) > 0:
                return min(pause, IDLE_SECONDS * 4)
        return 0.0 if due else IDLE_SECONDS

    def _turn(self, entry: Entry) -> float:
        """Seconds to wait before this one's turn; 0 = it has had it."""
        now_ms = self._now_ms()
        delivery = self._read(entry.value.decode())
        if delivery is None or delivery.action is None:
            if delivery is not None and now_ms - delivery.at_ms >= KEEP_MS:
                deliveries.forget(self.store, delivery)
            self.store.remove(self.timeline, [entry.id])
            return 0.0
        if delivery.state == "sent":
            self._note(entry, delivery, delivery.action)
            return 0.0
        if (later := self._later(delivery, delivery.action)) is not None:
            self._move(entry, delivery.id, later)
            return 0.0
        with self.turn(delivery.action) as is_its_turn:
            if is_its_turn:
                return self._decided(entry, delivery, delivery.action)
        self._move(entry, delivery.id, now_ms + int(IDLE_SECONDS * 1000))
        return 0.0

    def _decided(self, entry: Entry, delivery: Delivery, action: Action) -> float:
        """Settled or attempted; or seconds to wait, where the destination needs a rest."""
        verdict = self._verdict(delivery, action)
        if not isinstance(verdict, Permitted):
            self._settle(entry, delivery, action, verdict)
            return 0.0
        now = self.clock().timestamp()
        if (pause := max(self.breaker.wait(now), self.bucket.wait(now))) > 0:
            return pause
        self._attempt(entry, delivery, verdict)
        return 0.0

    def _later(self, delivery: Delivery, action: Action) -> int | None:
        """When it may be done, if not now: quiet hours, or another's attempt is under way."""
        now = self.clock()
        if delivery.state == "sending" and self._now_ms() < delivery.until_ms:
            return delivery.until_ms
        if action.respects_quiet_hours and self._now_ms() < action.expires_ms:
            quiet = [hours for hours in (self.quiet, self.offer_quiet(action)) if hours is not None]
            zone = self.zone(action) if quiet else None
            over = [at for hours in quiet if (at := quiet_until(hours.in_zone(zone), now)) is not None]
            return int(max(over).timestamp() * 1000) if over else None
        return None

    def _verdict(self, delivery: Delivery, action: Action) -> Permitted[Action] | Result:
        """What can be said without an attempt; else that it may be made."""
        if delivery.state == "sending" and not self.retries_unknown:
            return GiveUp("unknown outcome: a process ended during the attempt")
        if self._now_ms() >= action.expires_ms:
            return GiveUp("expired")
        if delivery.attempts >= self.settings.max_attempts:
            return GiveUp(f"{delivery.attempts} attempts: {delivery.reason or 'ended during the attempt'}")
        passed = self.permit(action)
        return Suppressed(passed.reason) if isinstance(passed, Refused) else passed

    def _attempt(self, entry: Entry, delivery: Delivery, permitted: Permitted[Action]) -> None:
        action = permitted.what
        now_ms = self._now_ms()
        until_ms = now_ms + int(1000 * self.settings.timeout_seconds) + _LEASE_MS
        claimed = moved(delivery, "sending", now_ms, until_ms=until_ms)
        if not deliveries.write(self.store, claimed):
            self._move(entry, delivery.id, until_ms)  # somebody else has it
            return
        self.bucket.take()
        try:
            result = self.perform(permitted)
        except Exception as error:
            log.exception("action %s was not done", action.id)
            result = Retry(type(error).__name__, is_its_fault=False)
        if isinstance(result, Retry) and result.is_its_fault:
            self.breaker.failed(self.clock().timestamp())
        elif isinstance(result, Sent | GiveUp):
            self.breaker.succeeded()
        self._settle(entry, claimed, action, result)

    def _settle(self, entry: Entry, delivery: Delivery, action: Action, result: Result) -> None:
        now_ms, settings = self._now_ms(), self.settings
        if isinstance(result, Retry):
            pause = backoff(
                delivery.attempts, delivery.id, first=settings.backoff_seconds, most=settings.backoff_max_seconds
            )
            again_ms = now_ms + int(1000 * max(pause, result.after or 0.0))
            if delivery.attempts < settings.max_attempts and again_ms < action.expires_ms:
                self.counts["retried"] += 1
                deliveries.write(self.store, moved(delivery, "waiting", now_ms, reason=result.reason))
                self._move(entry, delivery.id, again_ms)
                return
            result = GiveUp(f"{delivery.attempts} attempts: {result.reason}")
        if isinstance(result, Sent):
            self.counts["sent"] += 1
            sent = moved(delivery, "sent", now_ms, keeps_action=True)
            deliveries.write(self.store, sent)
            self._note(entry, sent, action)
            return
        if isinstance(result, GiveUp):
            self.give_up(action, result.reason)
        state: deliveries.State = "failed" if isinstance(result, GiveUp) else "suppressed"
        self.counts[state] += 1
        deliveries.write(self.store, moved(delivery, state, now_ms, reason=result.reason))
        self._move(entry, delivery.id, now_ms + KEEP_MS)

    def _note(self, entry: Entry, delivery: Delivery, action: Action) -> None:
        """A store or broker that is away leaves the timer where it is: it is done again, and the action is not."""
        self.note(action)
        now_ms = self._now_ms()
        deliveries.write(self.store, moved(delivery, "sent", now_ms))
        self._move(entry, delivery.id, now_ms + KEEP_MS)

    def _move(self, entry: Entry, id_: str, at_ms: int) -> None:
        """The new timer first: one too many is a needless look, one too few an action that is never done."""
        self.arm(id_, at_ms)
        if entry.id != f"{at_ms}@{id_}":
            self.store.remove(self.timeline, [entry.id])

    def _read(self, id_: str) -> Delivery | None:
        try:
            return deliveries.read(self.store, id_)
        except StoreError as error:
            (data,) = self.store.get([deliveries.ATTEMPTS_KEY + id_])
            if data is None:
                raise
            log.error("%s", error)
            return None

    def _now_ms(self) -> int:
        return int(self.clock().timestamp() * 1000)
