"""A run into what is replaced as a whole, such as a file. Rows are claimed, asked for at the gate and written piece by piece; then all are there at once.

So no more than a piece of them is in memory as Python's values, however many there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lakehouse.actions.delivery import Retry, Sent
from lakehouse.exports.places.place import WholePlace
from lakehouse.exports.plan import Plan, Todo
from lakehouse.exports.rows import Sending
from lakehouse.exports.run import ExportRun

PIECE = 10_000


@dataclass(kw_only=True)
class WholeRun(ExportRun):
    """See `ExportRun`."""

    place: WholePlace
    _kept_back: set[str] = field(default_factory=set)  # keys that the gate refused since the plan was made

    def hand_over(self, plan: Plan) -> None:
        """See `ExportRun`."""
        if not plan.changes:
            return
        batch_id, reason = next(self.ids()), ""
        for attempt in range(1, self.patience.tries + 1):
            outcome = self.place.replace(self._allowed_of(plan, batch_id))
            if not isinstance(outcome, Retry):
                self._settle(plan, batch_id)
                return
            reason = outcome.reason
            if attempt < self.patience.tries:
                self.pause(attempt, batch_id, [outcome])
        self.tally["unanswered"] += self.tally["to_send"]
        raise self.unanswered(reason)

    def _allowed_of(self, plan: Plan, batch_id: str) -> Iterator[Sending]:
        """Piece by piece: what may be sent as of now. All of the piece is written down before."""
        for todos in plan.pieces(PIECE):
            rows = plan.said(todos)
            before = {todo.key: todo for todo in todos if todo.key not in self._kept_back}
            sent = {key for key, todo in before.items() if todo.step == "send"}
            sends = self.allowed(before, rows)
            self._kept_back |= sent - {sending.key for sending in sends}
            self.write([self.claim(todo, batch_id, rows) for todo in before.values()])
            yield from sends

    def _settle(self, plan: Plan, batch_id: str) -> None:
        """All of it is there, and nothing else."""
        for todos in plan.pieces(PIECE):
            rows = plan.said(todos)
            for todo in map(self._as_done, todos):
                if todo is not None:
                    self.settled(todo, Sent(), batch_id, rows)
            self.write([])

    def _as_done(self, todo: Todo) -> Todo | None:
        """Who was refused since is gone, if they were there."""
        if todo.key not in self._kept_back:
            return todo
        return todo._replace(step="remove") if todo.is_there else None
