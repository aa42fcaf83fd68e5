"""One run of an export: batch by batch claimed, asked for at the gate, handed over, settled. Of one plan, or of several in turn.

Whatever happens in between, the ledger is true: what may be at the destination is written down as being there before it is sent. A batch whose
outcome is open is sent again in the next run under its old id; a row that was refused too often waits until it changes; what is to be
removed is tried in every run until it is gone.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.actions.pace import backoff
from lakehouse.decisions.gate import Refused
from lakehouse.errors import DestinationAwayError, StitchlakeError
from lakehouse.exports.ledger import COUNTS, Change, Ledger, State
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.place import Outcome, Place
from lakehouse.exports.plan import Plan, Todo
from lakehouse.exports.rows import Removal, Row, Sending

MOST_REFUSALS = 5  # runs in a row, before a row waits until it changes
Rows = Mapping[str, Row]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Within a run: how often a batch is tried, and the seconds between."""

    tries: int
    first: float
    most: float


class _Done(NamedTuple):
    """What became of a batch. states: of rows with an answer. open_reason: why others have none; None = all have one."""

    states: Mapping[str, State]
    open_reason: str | None = None


@dataclass(kw_only=True)
class ExportRun:
    """Of one export. `clock` and `sleep` are all the time it has.

    is_full: every row is sent, changed or not. of_few: its plans are of few people: gold is asked what they said, and what anybody else did is not
    read. reasons: why how many rows were refused. noted: key -> the last step that was written down of it, of few.
    """

    name: str
    run_id: str
    ledger: Ledger
    permission: Permission
    place: Place
    patience: Patience
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    is_full: bool = False
    of_few: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    noted: dict[str, Change] = field(default_factory=dict)
    _unwritten: list[Change] = field(default_factory=list)
    _tally: Counter[str] = field(default_factory=Counter)
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
        self._tally.update(plan.counts())
        self.ledger.begin(self.run_id, self._tally, is_full=self.is_full, now=self._began)
        stopped = self._batches(plan.removals() if removes_only else plan, self._tally)
        self._forget(plan.forgotten())
        return stopped

    def end(self, stopped: StitchlakeError | None) -> dict[str, int]:
        """Write down what the run came to: the counts of ops.export_runs. Of one that did nothing there is nothing to write."""
        tally = self._tally
        tally["unsent"] = tally["to_send"] - tally["delivered"] - tally["rejected"] - tally["unanswered"]
        tally["not_removed"] = tally["to_remove"] - tally["removed"]
        if self._began is not None:
            reason = None if stopped is None else str(stopped)
            times = {"began": self._began, "now": self.clock()}
            self.ledger.end(self.run_id, tally, **times, is_full=self.is_full, reason=reason)
        return {name: tally[name] for name in COUNTS}

    def _forget(self, keys: Sequence[str]) -> None:
        self.ledger.forget(keys)
        self._remember(Change(key=key, profile_id="", state="removed", hash=None, is_there=False) for key in keys)

    def _batches(self, plan: Plan, tally: Counter[str]) -> StitchlakeError | None:
        """Every batch, one after the other; why it stopped before the last, if it did."""
        stopped: StitchlakeError | None = None
        for batch_id, todos in plan.batches(self.place.most_rows, self._ids()):
            try:
                open_reason = self._batch(batch_id, todos, plan.said(todos), tally).open_reason
            except StitchlakeError as error:
                stopped = error
                break
            if open_reason is not None:
                stopped = DestinationAwayError(
                    f"export {self.name}: a batch has no answer, got {open_reason}, expected it to be taken or refused. Run it again: it goes on there"
                )
                break
        self._write([])
        return stopped

    def _batch(self, batch_id: str, todos: Sequence[Todo], rows: Rows, tally: Counter[str]) -> _Done:
        """What is known there under another identity by now is first taken from under the old one."""
        moved = {todo.key for todo in todos if todo.step == "send" and self._has_moved(todo, rows)}
        if moved:
            leaving = [todo._replace(step="move") for todo in todos if todo.key in moved]
            gone = self._tried(f"{batch_id}-moved", leaving, rows, tally)
            if gone.open_reason is not None:
                return gone
            free = {key for key, state in gone.states.items() if state == "removed"}
            todos = [
                todo._replace(is_there=False, identity=None) if todo.key in free else todo
                for todo in todos
                if todo.key not in moved or todo.key in free
            ]
        return self._tried(batch_id, todos, rows, tally)

    def _tried(self, batch_id: str, todos: Sequence[Todo], rows: Rows, tally: Counter[str]) -> _Done:
        """Claimed, and handed over until every row has an answer or patience ends."""
        before = {todo.key: todo for todo in todos}
        sends = self._allowed(before, rows, tally)
        self._write([self._claim(todo, batch_id, rows) for todo in before.values()])
        waiting = dict(before)
        states, reason = dict[str, State](), "no answer"
        try:
            for attempt in range(1, self.patience.tries + 1):
                removals = [Removal(todo.key, todo.identity) for todo in waiting.values() if todo.step != "send"]
                outcomes = self.place.apply(batch_id, sends, removals) if waiting else {}
                for key, outcome in outcomes.items():
                    if not isinstance(outcome, Retry):
                        states[key] = self._settled(waiting.pop(key), outcome, batch_id, rows, tally)
                if not waiting:
                    return _Done(states)
                # Of one that is open, a refusal later does not say that it was refused before.
                waiting |= {one.key: self._maybe_there(waiting[one.key], rows) for one in sends if one.key in waiting}
                asked = [outcome for outcome in outcomes.values() if isinstance(outcome, Retry)]
                reason = asked[0].reason if asked else reason
                if attempt < self.patience.tries:
                    pause = backoff(attempt, batch_id, first=self.patience.first, most=self.patience.most)
                    self.sleep(max([pause, *(one.after or 0.0 for one in asked)]))
                    sends = self._allowed(waiting, rows, tally)
            return _Done(states, reason)
        finally:
            tally["unanswered"] += sum(todo.step == "send" for todo in waiting.values())

    def _ids(self) -> Iterator[str]:
        """Of batches: no two of a run have the same, or a destination would take the second for the first."""
        return (f"{self.run_id}-{number}" for number in self._numbers)

    def _maybe_there(self, todo: Todo, rows: Rows) -> Todo:
        """Once it has been handed over, nobody knows before an answer whether the destination has it."""
        return todo._replace(is_there=True, identity=self.place.identity(rows[todo.key]))

    def _write(self, claims: Sequence[Change]) -> None:
        """What was settled, and these claims, in one commit."""
        changes = [*self._unwritten, *claims]
        self.ledger.note(self.run_id, changes, self.clock())
        self._remember(changes)
        self._unwritten.clear()

    def _remember(self, changes: Iterable[Change]) -> None:
        if self.of_few:
            self.noted |= {change.key: change for change in changes}

    def _allowed(self, waiting: dict[str, Todo], rows: Rows, tally: Counter[str]) -> list[Sending]:
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
            tally["withheld"] += 1
            tally["to_send"] -= 1
            if todo.is_there:
                waiting[todo.key] = todo._replace(step="remove")
                tally["to_remove"] += 1
            else:
                del waiting[todo.key]
        return sends

    def _has_moved(self, todo: Todo, rows: Rows) -> bool:
        return todo.is_there and todo.identity is not None and self.place.identity(rows[todo.key]) != todo.identity

    def _claim(self, todo: Todo, batch_id: str, rows: Rows) -> Change:
        is_sent = todo.step == "send"
        identity = self.place.identity(rows[todo.key]) if is_sent else todo.identity
        return self._change(
            todo, batch_id, state="sending" if is_sent else "removing", is_there=True, identity=identity
        )

    def _settled(self, todo: Todo, outcome: Outcome, batch_id: str, rows: Rows, tally: Counter[str]) -> State:
        change = self._change_by(todo, outcome, batch_id, rows)
        self._unwritten.append(change)
        tally["removed"] += change.state == "removed" and todo.step == "remove"
        tally["delivered"] += change.state == "delivered"
        if change.state in ("rejected", "dead"):
            tally["rejected"] += 1
            self.reasons[str(change.reason)] += 1
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
