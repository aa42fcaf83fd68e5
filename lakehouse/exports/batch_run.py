"""A run that hands rows over batch by batch. A batch whose outcome is open is sent again in the next run under its old id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lakehouse.actions.delivery import Retry
from lakehouse.exports.ledger import State
from lakehouse.exports.places.place import Place
from lakehouse.exports.plan import Plan, Todo
from lakehouse.exports.rows import Removal
from lakehouse.exports.run import ExportRun, Rows


class _Done(NamedTuple):
    """What became of a batch. states: of rows with an answer. open_reason: why others have none; None = all have one."""

    states: Mapping[str, State]
    open_reason: str | None = None


@dataclass(kw_only=True)
class BatchRun(ExportRun):
    """See `ExportRun`."""

    place: Place

    def hand_over(self, plan: Plan) -> None:
        """See `ExportRun`. Every batch, one after the other."""
        for batch_id, todos in plan.batches(self.place.most_rows, self.ids()):
            if (reason := self._batch(batch_id, todos, plan.said(todos)).open_reason) is not None:
                raise self.unanswered(reason)

    def _batch(self, batch_id: str, todos: Sequence[Todo], rows: Rows) -> _Done:
        """What is known there under another identity by now is first taken from under the old one."""
        moved = {todo.key for todo in todos if todo.step == "send" and self._has_moved(todo, rows)}
        if moved:
            leaving = [todo._replace(step="move") for todo in todos if todo.key in moved]
            gone = self._tried(f"{batch_id}-moved", leaving, rows)
            if gone.open_reason is not None:
                return gone
            free = {key for key, state in gone.states.items() if state == "removed"}
            todos = [
                todo._replace(is_there=False, identity=None) if todo.key in free else todo
                for todo in todos
                if todo.key not in moved or todo.key in free
            ]
        return self._tried(batch_id, todos, rows)

    def _tried(self, batch_id: str, todos: Sequence[Todo], rows: Rows) -> _Done:
        """Claimed, and handed over until every row has an answer or patience ends."""
        before = {todo.key: todo for todo in todos}
        sends = self.allowed(before, rows)
        self.write([self.claim(todo, batch_id, rows) for todo in before.values()])
        waiting = dict(before)
        states, reason = dict[str, State](), "no answer"
        try:
            for attempt in range(1, self.patience.tries + 1):
                removals = [Removal(todo.key, todo.identity) for todo in waiting.values() if todo.step != "send"]
                outcomes = self.place.apply(batch_id, sends, removals) if waiting else {}
                for key, outcome in outcomes.items():
                    if not isinstance(outcome, Retry):
                        states[key] = self.settled(waiting.pop(key), outcome, batch_id, rows)
                if not waiting:
                    return _Done(states)
                # Of one that is open, a refusal later does not say that it was refused before.
                waiting |= {one.key: self._maybe_there(waiting[one.key], rows) for one in sends if one.key in waiting}
                asked = [outcome for outcome in outcomes.values() if isinstance(outcome, Retry)]
                reason = asked[0].reason if asked else reason
                if attempt < self.patience.tries:
                    self.pause(attempt, batch_id, asked)
                    sends = self.allowed(waiting, rows)
            return _Done(states, reason)
        finally:
            self.tally["unanswered"] += sum(todo.step == "send" for todo in waiting.values())

    def _maybe_there(self, todo: Todo, rows: Rows) -> Todo:
        """Once it has been handed over, nobody knows before an answer whether the destination has it."""
        return todo._replace(is_there=True, identity=self.place.identity(rows[todo.key]))

    def _has_moved(self, todo: Todo, rows: Rows) -> bool:
        return todo.is_there and todo.identity is not None and self.place.identity(rows[todo.key]) != todo.identity
