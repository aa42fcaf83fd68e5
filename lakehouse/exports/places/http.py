"""A webhook that takes rows: requests of a shape, one after the other, each at most as often as the destination allows.

What an answer says. 2xx: taken, but for the rows the shape finds refused in it. 2xx with a page of HTML: some proxy, nobody took anything.
408, 425, 429, 5xx, a time-out: open. 400, 413, 422, and 2xx that says that some rows were not taken and not which: some row is to blame; halves are tried, down to that row. Any other: the destination
does not know us or is gone, and the run stops.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import orjson

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.http_call import Answer, HttpCalls
from lakehouse.actions.pace import Bucket
from lakehouse.errors import ExportError
from lakehouse.exports.places.place import Layout, Outcome
from lakehouse.exports.rows import Removal, Row, Sending
from lakehouse.exports.shapes.shape import Request, Said, Shape

_OF_THE_ROWS = frozenset({400, 413, 422})
_MOST_ANSWER = 4 * 2**20
_MOST_REASON = 200


class HttpPlace:
    """`into`: a path below the destination's url, where the shape names none."""

    takes_all = False

    def __init__(
        self,
        destination: Webhook,
        shape: Shape,
        options: Mapping[str, str],
        into: str,
        *,
        most_rows: int | None,
        per_second: float,
        timeout_seconds: float,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._destination, self._shape, self._options, self._into = destination, shape, options, into
        self.most_rows: int = min(most_rows or shape.most_rows, shape.most_rows)
        self._calls = HttpCalls(destination, timeout_seconds=timeout_seconds, clock=clock)
        self._bucket = Bucket(destination.per_second or per_second)
        self._clock, self._sleep = clock, sleep

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        if layout.mode == "update":
            raise ExportError(
                f"mode: got {layout.mode}, expected insert, upsert or mirror for a webhook: it cannot say which rows it has. Mend it"
            )

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return self._shape.identity(row, self._options)

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """See `Place`."""
        outcomes: dict[str, Outcome] = {}
        for some in _parts(removals, self._shape.most_removals):
            outcomes |= self._removed(batch_id, some)
        tellable = []
        for sending in sends:
            if (reason := self._shape.fault(sending.row.what, self._options)) is None:
                tellable.append(Said(sending.key, sending.row.what))
            else:
                outcomes[sending.key] = GiveUp(reason)
        for part in _parts(tellable, self.most_rows):
            outcomes |= self._told(batch_id, part)
        return outcomes

    def close(self) -> None:
        """See `Place`."""
        self._calls.close()

    def _told(self, batch_id: str, rows: Sequence[Said]) -> dict[str, Outcome]:
        outcomes = self._called(self._shape.upserts(rows, self._options), batch_id)
        if outcomes is None:
            half = len(rows) // 2
            return self._told(batch_id, rows[:half]) | self._told(batch_id, rows[half:])
        values = {said.key: said.row for said in rows}
        return {
            key: GiveUp(_without_values(outcome.reason, values[key])) if isinstance(outcome, GiveUp) else outcome
            for key, outcome in outcomes.items()
        }

    def _removed(self, batch_id: str, removals: Sequence[Removal]) -> dict[str, Outcome]:
        outcomes = self._called(self._shape.removals(removals, self._options), batch_id)
        if outcomes is None:
            half = len(removals) // 2
            return self._removed(batch_id, removals[:half]) | self._removed(batch_id, removals[half:])
        return outcomes

    def _called(self, request: Request, batch_id: str) -> dict[str, Outcome] | None:
        """What became of each row; None = one of several is to blame, and nobody knows which."""
        if (pause := self._bucket.wait(self._clock().timestamp())) > 0:
            self._sleep(pause)
            self._bucket.wait(self._clock().timestamp())
        self._bucket.take()
        data = b"" if request.body is None else orjson.dumps(request.body, default=str, option=orjson.OPT_UTC_Z)
        said = hashlib.blake2b(request.method.encode() + request.path.encode() + data, digest_size=8).hexdigest()
        path = request.path or self._into
        kind = {"Content-Type": self._shape.content_type}
        answer = self._calls.call(
            data, f"{batch_id}:{said}", method=request.method, path=path, headers=kind, reads=_MOST_ANSWER
        )
        if not isinstance(answer, Answer):
            if isinstance(answer, GiveUp):
                raise ExportError(f"destination {self._destination.name}: {answer.reason}")
            return dict.fromkeys(request.keys, answer)
        return self._heard(request, answer, batch_id)

    def _heard(self, request: Request, answer: Answer, batch_id: str) -> dict[str, Outcome] | None:
        document = _document(answer.body)
        answer = replace(answer, status=self._shape.status(answer.status, document))
        result = answer.result
        if isinstance(result, Retry):
            return dict.fromkeys(request.keys, result)
        if isinstance(result, GiveUp):
            if answer.status not in _OF_THE_ROWS:
                raise ExportError(
                    f"destination {self._destination.name}: got status {answer.status}, expected it to know us and the address. Mend destinations.yaml"
                )
            return None if len(request.keys) > 1 else {request.keys[0]: result}
        if "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<":
            return dict.fromkeys(request.keys, Retry(f"status {answer.status} with a page of HTML"))
        if request.follow is not None:
            following = request.follow(document)
            return self._called(following, batch_id) if following is not None else dict.fromkeys(request.keys, Sent())
        refused = self._shape.refused(request, document)
        if refused is None:
            return None if len(request.keys) > 1 else {request.keys[0]: GiveUp("refused")}
        return {key: GiveUp(refused[key][:_MOST_REASON]) if key in refused else Sent() for key in request.keys}


def _document(body: bytes) -> Any:
    """What an answer says; an empty object where it is no JSON."""
    try:
        return orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        return {}


One = TypeVar("One")


def _parts(items: Sequence[One], size: int) -> list[Sequence[One]]:
    return [items[start : start + size] for start in range(0, len(items), max(1, size))]


def _without_values(reason: str, row: Mapping[str, Any]) -> str:
    """A destination may say in its reason what it refuses; a value of the row is no part of what is written down."""
    for value in row.values():
        if isinstance(value, str) and len(value) > 2:
            reason = reason.replace(value, "***")
    return reason
