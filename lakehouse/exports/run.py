"""One run of an export: rows claimed, asked for at the gate, handed over, settled. Of one plan, or of several in turn.

Whatever happens in between, the ledger is true: what may be at the destination is written down as being there before it is sent. A row that was
refused too often waits until it changes; what is to be removed is tried in every run until it is gone. How rows are handed over a subclass says:
batch_run.py, whole_run.py.
"""

import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.actions.pace import backoff
from lakehouse.decisions.gate import Refused
from lakehouse.errors import DestinationAwayError, StitchlakeError
from lakehouse.exports.ledger import COUNTS, Change, Ledger, State
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.place import AnyPlace, Outcome, away
from lakehouse.exports.plan import Plan, Todo
from lakehouse.exports.rows import Row, Sending

MOST_REFUSALS = 5  # runs in a row, before a row waits until it changes
Rows = Mapping[str, Row]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Within a run: how often a batch is tried, and the seconds between."""

    tries: int
    first: float
    most: float


@dataclass(kw_only=True)
class ExportRun(ABC):
    """Of one export. `clock` and `sleep` are all the time it has.

    is_full: every row is sent, changed or not. of_few: its plans are of few people: gold is asked what they said, and what anybody else did is not
    read. tally: what was done until now, by the names of ops.export_runs. reasons: why how many rows, or removals, were refused. noted: key -> the last step that was written down of it, of few.
    """

    name: str
    run_id: str
    ledger: Ledger
    permission: Permission
    place: AnyPlace
    patience: Patience
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    is_full: bool = False
    of_few: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    noted: dict[str, Change] = field(default_factory=dict)
    _unwritten: list[Change] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    _began: datetime | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, plan: Plan, *, holds_rows: bool) -> dict[str, int]:
        """Do what is planned, and end. The counts of ops.export_runs. holds_rows: the ledger says that the destination has some.

        Raises:
            ExportError: the destination is gone, is not what it was, or does not answer; the ledger says how far it came.
        """
        stopped = self.take(plan, holds_rows=holds_rows)
        done = self.end(stopped)
        if stopped is not None:
            raise stopped
        return done

    def take(self, plan: Plan, *, holds_rows: bool, removes_only: bool = False) -> StitchlakeError | None:
        """Do what is planned; why it stopped before the last batch, if it did. removes_only: what is to be sent is left for another plan.

        Raises:
            ExportError: the destination is gone, or is not what it was: nothing was done.
        """
        if self._began is None:
            self.place.open(plan.layout, holds_rows=holds_rows and not self.is_full)
            self._began = self.clock()
        self.tally.update(plan.counts())
        self.ledger.begin(self.run_id, self.tally, is_full=self.is_full, now=self._began)
        stopped: StitchlakeError | None = None
        try:
            self.hand_over(plan.removals() if removes_only else plan)
        except StitchlakeError as error:
            stopped = error
        self.write([])
        self._forget(plan.forgotten())
        return stopped

    @abstractmethod
    def hand_over(self, plan: Plan) -> None:
        """All that is to be sent and removed. Raises StitchlakeError: why it stopped before the end."""

    def end(self, stopped: StitchlakeError | None) -> dict[str, int]:
        """Write down what the run came to: the counts of ops.export_runs. Of one that did nothing there is nothing to write."""
        tally = self.tally
        tally["unsent"] = tally["to_send"] - tally["delivered"] - tally["rejected"] - tally["unanswered"]
        tally["not_removed"] = tally["to_remove"] - tally["removed"]
        if self._began is not None:
            reason = None if stopped is None else str(stopped)
            times = {"began": self._began, "now": self.clock()}
            self.ledger.end(self.run_id, tally, **times, is_full=self.is_full, reason=reason)
        return {name: tally[name] for name in COUNTS}

    def ids(self) -> Iterator[str]:
        """Of batches: no two of a run have the same, or a destination would take the second for the first."""
        return (f"{self.run_id}-{number}" for number in self._numbers)

    def unanswered(self, why: str) -> DestinationAwayError:
        """For what has no answer after the last try."""
        return away(f"export {self.name}", why)

    def pause(self, attempt: int, batch_id: str, asked: Sequence[Retry]) -> None:
        """Before the next try. asked: what the destination said of this one."""
        pause = backoff(attempt, batch_id, first=self.patience.first, most=self.patience.most)
        self.sleep(max([pause, *(one.after or 0.0 for one in asked)]))

    def _forget(self, keys: Sequence[str]) -> None:
        self.ledger.forget(keys)
        self._remember(Change(key=key, profile_id="", state="removed", hash=None, is_there=False) for key in keys)

    def write(self, claims: Sequence[Change]) -> None:
        """What was settled, and these claims, in one commit."""
        changes = [*self._unwritten, *claims]
        self.ledger.note(self.run_id, changes, self.clock())
        self._remember(changes)
        self._unwritten.clear()

    def _remember(self, changes: Iterable[Change]) -> None:
        if self.of_few:
            self.noted |= {change.key: change for change in changes}

    def allowed(self, waiting: dict[str, Todo], rows: Rows) -> list[Sending]:
        """What may be sent as of now. What may not any more is withheld, or to be removed where it may be there."""
        profiles = [todo.profile_id for todo in waiting.values()]
        self.permission.look(profiles if self.of_few else None)
        units = self.permission.units(profiles)
        sends = []
        for todo in [todo for todo in waiting.values() if todo.step == "send"]:
            passed = self.permission.permit(rows[todo.key], todo.profile_id, units)
            if not isinstance(passed, Refused):
                sends.append(Sending(todo.key, passed))
                continue
            self.tally["withheld"] += 1
            self.tally["to_send"] -= 1
            if todo.is_there:
                waiting[todo.key] = todo._replace(step="remove")
                self.tally["to_remove"] += 1
            else:
                del waiting[todo.key]
        return sends

    def claim(self, todo: Todo, batch_id: str, rows: Rows) -> Change:
        """What is written down before it is handed over."""
        is_sent = todo.step == "send"
        identity = self.place.identity(rows[todo.key]) if is_sent else todo.identity
        return self._change(
            todo, batch_id, state="sending" if is_sent else "removing", is_there=True, identity=identity
        )

    def settled(self, todo: Todo, outcome: Outcome, batch_id: str, rows: Rows) -> State:
        """Note what became of a row, to be written with the next claims."""
        tally = self.tally
        change = self._change_by(todo, outcome, batch_id, rows)
        self._unwritten.append(change)
        tally["removed"] += change.state == "removed" and todo.step == "remove"
        tally["delivered"] += change.state == "delivered"
        tally["rejected"] += change.state in ("rejected", "dead")
        if change.reason is not None:  # of a removal, too: a row that should go and does not
            self.reasons[change.reason] += 1
        return change.state

    def _change_by(self, todo: Todo, outcome: Outcome, batch_id: str, rows: Rows) -> Change:
        is_sent = todo.step == "send"
        if isinstance(outcome, Sent):
            if not is_sent:
                return self._change(todo, batch_id, state="removed", is_there=False, attempts=0, identity=None)
            identity = self.place.identity(rows[todo.key])
            return self._change(todo, batch_id, state="delivered", is_there=True, attempts=0, identity=identity)
        refusals = {"attempts": todo.attempts + 1, "reason": getattr(outcome, "reason", None)}
        if not is_sent:
            return self._change(todo, batch_id, state="removing", is_there=True, **refusals)
        state = "dead" if todo.attempts + 1 >= MOST_REFUSALS else "rejected"
        return self._change(todo, batch_id, state=state, **refusals)

    def _change(self, todo: Todo, batch_id: str, **said: Any) -> Change:
        key, profile_id, hash_, identity, is_there, attempts, *_ = todo
        known = {"hash": hash_, "identity": identity, "is_there": is_there, "attempts": attempts, **said}
        return Change(key=key, profile_id=profile_id, batch_id=batch_id, **known)
