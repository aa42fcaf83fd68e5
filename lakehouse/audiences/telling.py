"""The topic of audiences: an event for everybody who entered one or left it. Its key is the profile, its value JSON.

    {"event_id", "profile_id", "audience", "change": "entered" or "left", "at", "purpose"}

What its readers hold is written down in ops.audience_members, and each round brings them up to what gold says of those whose rows were written:

    a member who may be told of, and is not held to be one    entered
    held to be one, and no member, or may not be told of      left

So whoever withdraws leaves, and nobody hears that somebody left of whom they never heard. Entering passes the one gate, for the purpose that the audience
declares. Leaving says no more than that nothing is to be held.

At least once. What is going to be told is written down with its id before it is sent, and as told afterwards: after a crash it is sent again with the same id. Who
enters while it is not known whether their end was told enters by an event of a new id. At its start everybody is gone through once.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from lakehouse.audiences.declaration import DeclaredAudience
from lakehouse.decisions.gate import Permitted, Refused
from lakehouse.errors import StitchlakeError
from lakehouse.kafka.message import Message
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.batch_record import BatchRecord
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from lakehouse.tables.audiences import OPS_AUDIENCE_MEMBERS

ENTERED, LEFT = "entered", "left"
ENTERING, IN, LEAVING = "entering", "in", "leaving"
MOST_AT_ONCE = 50_000  # profiles of a round
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)
Pair = tuple[str, str]
"""profile_id, audience."""
log = logging.getLogger("stitchlake.audiences")


class Asks(Protocol):
    """What the gate is asked; see lakehouse/exports/permission.py."""

    def permit(self, change: "Change", declared: DeclaredAudience) -> Permitted["Change"] | Refused: ...


Look = Callable[[Collection[str]], Asks]
"""Takes in what these profiles said last. Raises StitchlakeError: nobody knows."""
Send = Callable[[Sequence[Message], Sequence[Permitted[Message]]], None]
"""Is handed what tells of leaving, and of entering. Returns once the broker has acknowledged all of it. Raises StitchlakeError: it did not."""
Heard = Callable[[BatchRecord | None], bool]
"""Whether gold holds what people said last. Raises StitchlakeError: nobody knows."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One event of the topic. at: when it became so."""

    event_id: str
    profile_id: str
    audience: str
    change: str
    at: datetime
    purpose: str | None

    @property
    def pair(self) -> Pair:
        return self.profile_id, self.audience

    def message(self, now: datetime) -> Message:
        """As it leaves."""
        value = {name: getattr(self, name) for name in ("event_id", "profile_id", "audience", "change")}
        value |= {"at": self.at.astimezone(UTC).isoformat(timespec="milliseconds"), "purpose": self.purpose}
        return Message(self.profile_id.encode(), orjson.dumps(value), now)


@dataclass(frozen=True, kw_only=True)
class Stays:
    """What gold says of some profiles. since: of the open rows. ended: when the last of the others ended."""

    since: Mapping[Pair, datetime]
    ended: Mapping[Pair, datetime]


@dataclass(frozen=True, kw_only=True)
class Held:
    """Of a pair that may be held to be a member: the id of the event that said so, and what was begun to be told: ENTERING, IN or LEAVING."""

    event_id: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is to be told: those who entered, each through the gate, and those who left."""

    entered: tuple[Permitted[Change], ...]
    left: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.entered or self.left)


def round_of(
    stays: Stays, held: Mapping[Pair, Held], declared: Mapping[str, DeclaredAudience], asks: Asks, now: datetime
) -> Round:
    """What the readers are to be told so that they hold what gold says. Knows no more of what people said than `asks` looked up before."""
    entered: list[Permitted[Change]] = []
    left: list[Change] = []
    for pair in sorted({*stays.since, *held}):
        own, known = declared.get(pair[1]), held.get(pair)
        stays_in = None if own is None or pair not in stays.since else _entry(pair, stays.since[pair], own, known, now)
        verdict = None if own is None or stays_in is None else asks.permit(stays_in, own)
        if isinstance(verdict, Permitted):
            if known is None or known.state != IN:
                entered.append(verdict)
        elif known is not None:
            at = now if pair in stays.since else stays.ended.get(pair, now)
            left.append(_change(LEFT, pair, at, own, _id(LEFT, known.event_id)))
    return Round(entered=tuple(entered), left=tuple(left))


def _entry(pair: Pair, since: datetime, own: DeclaredAudience, known: Held | None, now: datetime) -> Change:
    """Told now, unless it was begun to be told before: then it has the id of then."""
    is_begun = known is not None and known.state == ENTERING
    event_id = known.event_id if known is not None and is_begun else _id(ENTERED, *pair, now.isoformat())
    return _change(ENTERED, pair, since, own, event_id)


def _change(change: str, pair: Pair, at: datetime, own: DeclaredAudience | None, event_id: str) -> Change:
    purpose = None if own is None else own.purpose
    return Change(event_id=event_id, profile_id=pair[0], audience=pair[1], change=change, at=at, purpose=purpose)


def _id(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


class AudienceTelling:
    """See the module. Of one lake, called by the process that writes it. `declared`: by name."""

    def __init__(
        self,
        lake: Lake,
        declared: Mapping[str, DeclaredAudience],
        *,
        look: Look,
        send: Send,
        heard: Heard,
        clock: Callable[[], datetime],
    ) -> None:
        self._lake, self._declared = lake, declared
        self._look, self._send, self._heard, self._clock = look, send, heard, clock
        self._owed: set[str] = set()
        self._owes_everybody = True  # nobody knows what the process before was about to tell
        self._pause = timedelta(0)
        self._rests_until: datetime | None = None

    @property
    def is_due(self) -> bool:
        """Whether somebody is to be told of, and it is time to try."""
        rests = self._rests_until is not None and self._clock() < self._rests_until
        return (self._owes_everybody or bool(self._owed)) and not rests

    def tell(self, profile_ids: Collection[str] | None, record: BatchRecord | None) -> None:
        """Tell of these, and of whoever is owed, once gold holds what people said last. None = everybody. record: of the micro-batch that has just been written."""
        self._owes_everybody |= profile_ids is None
        self._owed |= set(profile_ids or ())
        if not self.is_due:
            return
        try:
            if self._owes_everybody:
                self._owed |= self._everybody()
                self._owes_everybody = False
            owed = sorted(self._owed)
            for start in range(0, len(owed), MOST_AT_ONCE):
                some = owed[start : start + MOST_AT_ONCE]
                if not self._is_told(some, record):
                    self._rest()
                    return
                self._owed -= set(some)
        except (StitchlakeError, DeltaError, OSError) as error:
            self._rest()
            log.warning("%d profiles wait for the topic of audiences: %s", len(self._owed), error)
        else:
            self._pause, self._rests_until = timedelta(0), None

    def _rest(self) -> None:
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._rests_until = self._clock() + self._pause

    def _everybody(self) -> set[str]:
        """Whoever is a member, or held to be one."""
        return {
            profile_id
            for table in (GOLD_AUDIENCES, OPS_AUDIENCE_MEMBERS)
            for batch in self._lake.batches(table, columns=("profile_id",))
            for profile_id in pc.unique(batch["profile_id"]).to_pylist()
        }

    def _is_told(self, profile_ids: Sequence[str], record: BatchRecord | None) -> bool:
        """Tell of these; whether it could be told, or there was nothing."""
        held = _held(self._lake.rows_with(OPS_AUDIENCE_MEMBERS, "profile_id", profile_ids))
        stays = _stays(row_runs.rows_of(self._lake, GOLD_AUDIENCES, profile_ids))
        if not held and not stays.since:
            return True
        if not self._heard(record):
            return False
        now = self._clock()
        if told := round_of(stays, held, self._declared, self._look(profile_ids), now):
            self._send_round(told, held, now)
        return True

    def _send_round(self, told: Round, held: Mapping[Pair, Held], now: datetime) -> None:
        entered = [one.what for one in told.entered]
        begun = [_row(one, ENTERING, one.event_id, now) for one in entered]
        begun += [_row(one, LEAVING, held[one.pair].event_id, now) for one in told.left]
        self._begin(begun, held)
        messages = [one.put_as(one.what.message(now)) for one in told.entered]
        self._send([one.message(now) for one in told.left], messages)
        done = [_row(one, IN, one.event_id, now) | {"is_deleted": False} for one in entered]
        done += [_row(one, LEAVING, held[one.pair].event_id, now) | {"is_deleted": True} for one in told.left]
        schema = arrow_schema(OPS_AUDIENCE_MEMBERS).append(pa.field("is_deleted", pa.bool_()))
        self._lake.upsert(pa.Table.from_pylist(done, schema), OPS_AUDIENCE_MEMBERS, deletes=True)

    def _begin(self, begun: Sequence[Mapping[str, Any]], held: Mapping[Pair, Held]) -> None:
        """Write down what is going to be told. Rows that are all new are added: that looks through no others."""
        are_new = not any((row["profile_id"], row["audience"]) in held for row in begun)
        rows = pa.Table.from_pylist(list(begun), arrow_schema(OPS_AUDIENCE_MEMBERS))
        (self._lake.add if are_new else self._lake.upsert)(rows, OPS_AUDIENCE_MEMBERS)


def _row(change: Change, state: str, event_id: str, now: datetime) -> dict[str, Any]:
    """Of ops.audience_members. event_id: of the entry."""
    profile_id, audience = change.pair
    return {"profile_id": profile_id, "audience": audience, "event_id": event_id, "state": state, "told_at": now}


def _held(rows: pa.Table) -> dict[Pair, Held]:
    return {
        (row["profile_id"], row["audience"]): Held(event_id=row["event_id"], state=row["state"])
        for row in rows.to_pylist()
    }


def _stays(rows: pa.Table) -> Stays:
    since: dict[Pair, datetime] = {}
    ended: dict[Pair, datetime] = {}
    for row in rows.to_pylist():
        pair = (row["profile_id"], row["audience"])
        if row["valid_to"] is None:
            since[pair] = row["valid_from"]
        else:
            ended[pair] = max(row["valid_to"], ended.get(pair, row["valid_to"]))
    return Stays(since=since, ended=ended)
