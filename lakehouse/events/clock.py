"""When an event happened: the client's time, corrected for the client's clock, in whole microseconds since 1970, UTC.

Segment spec: timestamp = receivedAt - (sentAt - originalTimestamp). A time without zone is UTC.

A clock that cannot be is no clock: what was sent before it happened counts when it arrived; a sentAt by which the event would
lie before events.oldest, or LONGEST_DELAY_DAYS back although its own time is a time that can be, is as good as not sent.
Arrival is the wall clock of whoever takes the event in, and bounds what a sender or a broker says of it: it bounds the others and is
none of them, because several queries take a record in, each at its own time.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lakehouse.config import EventsConfig
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault

LONGEST_DELAY_DAYS = 30
# One grammar for Spark and Python, of what both read alike: a fraction of up to nine digits, a zone with or without colon, T and Z in
# small letters, too (RFC 3339).
_OFFSET = r"[+-](?:0[0-9]|1[0-7])(?::?[0-5][0-9])?"
ISO = (
    r"\A[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    rf"(?:[Tt ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.][0-9]{{1,9}})?)?(?: ?(?:[Zz]|UTC|GMT|{_OFFSET}))?)?\z"
)
# The name of a zone behind its offset says nothing more: `+01:00[Europe/Berlin]` (Java, RFC 9557), `+0100 CET` (Go).
_BRACKETS = r"\[[A-Za-z0-9_+/-]{1,40}\]"
ZONE_NAME = rf"(?:(?<=[Zz]){_BRACKETS}|(?<=[+-][0-9]{{2}}:[0-9]{{2}}){_BRACKETS}|(?<=[+-][0-9]{{4}}) [A-Z]{{3,5}})\z"
NUMBER = r"\A[-+]?[0-9]{1,30}(?:[.][0-9]{0,30})?(?:[eE][+]?[0-9]{1,2})?\z"
# A number's size tells its unit: seconds up to the year 5138, milliseconds from 1973 to 5138, and so on.
UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))  # (below, microseconds of one)
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
_TIME, _USUAL_LENGTH = pa.timestamp("us", tz="UTC"), len("2026-03-01T12:00:00.000Z")
_NEVER = -(2**62)  # stands for no time: further away than any, and the difference of both is still a number
_YEAR_1_US = -62_135_596_800_000_000  # the first that Python knows
_LAST_US = 253_402_300_799_999_999
_FIRST_US = -_LAST_US // 5
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    rf"(?:[Tt ]([0-9]{{2}}:[0-9]{{2}})(?::([0-9]{{2}})(?:[.]([0-9]{{1,9}}))?)?(?: ?([Zz]|UTC|GMT|{_OFFSET}))?)?"
)
_ZONE_NAME = re.compile(ZONE_NAME.removesuffix(r"\z") + r"\Z")
_NUMBER = re.compile(NUMBER.removeprefix(r"\A").removesuffix(r"\z"))


class Time(NamedTuple):
    """Of one event. received, occurred: None = no time that can be; occurred is never after received. verdict: why no time is left. faults: what was
    not used of the others. is_clamped: it lay ahead of arrival, by no more than max_future_hours.
    """

    received: int | None
    occurred: int | None
    is_clamped: bool
    verdict: str | None
    faults: Sequence[str]


class Times(NamedTuple):
    """Of many events. told: position -> what is wrong with its time; see Time."""

    received: list[int | None]
    occurred: list[int | None]
    is_clamped: list[bool]
    told: dict[int, Time]


class ClockReader:
    """Reads times by one configuration. Thread-safe."""

    def __init__(self, events: EventsConfig) -> None:
        self._oldest = microseconds(datetime.fromisoformat(events.oldest).replace(tzinfo=UTC))
        self._future = events.max_future_hours * _HOUR_US

    def column(
        self,
        received: Sequence[str | None],
        original: Sequence[str | None],
        sent: Sequence[str | None],
        kafka: Sequence[int | None],
        arrived: Sequence[int],
    ) -> Times:
        """Texts as sent; `kafka`: the time on the record; `arrived`: wall clock of whoever took the record in.

        Of most events every time can be, one after the other: these need no more than that.
        """
        many = len(received)
        said = instants([*received, *original, *sent])
        came, began, left = (said[start : start + many] for start in (0, many, 2 * many))
        on_record, here = _numbers(kafka), _numbers(arrived)
        is_silent = _are_none(sent)
        arrival = np.where(_are_none(received), on_record, came)
        delay = np.where(is_silent, arrival, left) - began
        can_arrive = (arrival >= self._oldest) & (arrival <= np.minimum(on_record, here) + self._future)
        can_be_late = (delay >= 0) & ((delay <= LONGEST_DELAY_DAYS * _DAY_US) | is_silent)
        are_usual = can_arrive & can_be_late & (began != _NEVER) & (arrival >= delay + self._oldest)
        times = Times(arrival.tolist(), (arrival - delay).tolist(), [False] * many, {})
        for number in np.flatnonzero(~are_usual).tolist():
            texts = received[number], original[number], sent[number]
            time = self._read(texts, _told(came[number], began[number], left[number]), kafka[number], arrived[number])
            times.received[number], times.occurred[number] = time.received, time.occurred
            times.is_clamped[number] = time.is_clamped
            if time.verdict is not None or time.faults:
                times.told[number] = time
        return times

    def _read(
        self,
        texts: tuple[str | None, str | None, str | None],
        said: tuple[int | None, ...],
        kafka: int | None,
        arrived: int,
    ) -> Time:
        """Of one event. `said`: what receivedAt, originalTimestamp and sentAt, its `texts`, say."""
        received, original, sent = texts
        received_us, original_us, sent_us = said
        arrival = self._arrival(received_us, original_us, kafka, arrived)
        uses_sent = sent_us is not None and original_us is not None and self._uses(arrival, sent_us, original_us)
        faults = []
        if sent is not None and sent_us is None:
            faults.append(fault(R.INVALID_TIMESTAMP, "sentAt: ISO 8601 or a number since 1970 expected"))
        elif sent_us is not None and original_us is not None and not uses_sent:
            faults.append(
                fault(R.TIMESTAMP_OUT_OF_RANGE, "sentAt: a time after the event and near its arrival expected")
            )
        if received is not None and received_us != arrival:
            faults.append(fault(R.TIMESTAMP_OUT_OF_RANGE, "receivedAt: a time near Kafka's expected"))
        occurred = None if arrival is None else self._occurred(arrival, sent_us, original_us, uses_sent=uses_sent)
        verdict = None
        if original is not None and original_us is None:
            verdict = fault(R.INVALID_TIMESTAMP, "originalTimestamp: ISO 8601 or a number since 1970 expected")
        elif arrival is None or occurred is None:
            verdict = fault(R.TIMESTAMP_OUT_OF_RANGE, "receivedAt: none that can be, and none from Kafka")
        elif not self._oldest <= occurred <= arrival + self._future:
            verdict = fault(R.TIMESTAMP_OUT_OF_RANGE, "originalTimestamp corrected by sentAt")
        if verdict is not None or arrival is None or occurred is None:
            return Time(arrival, None, False, verdict, faults)
        is_clamped = occurred > arrival
        return Time(arrival, arrival if is_clamped else occurred, is_clamped, None, faults)

    def moment(self, received: str | None, original: str | None, sent: str | None, *, arrived: int) -> int:
        """When an event happened that cannot wait for its verdict: a time that cannot be is the nearest that can."""
        received_us, original_us = instant(received), instant(original)
        arrival = self._arrival(received_us, original_us, arrived, arrived)
        arrival = arrived if arrival is None else arrival
        sent_us = instant(sent)
        uses_sent = sent_us is not None and original_us is not None and self._uses(arrival, sent_us, original_us)
        occurred = self._occurred(arrival, sent_us, original_us, uses_sent=uses_sent)
        return max(min(occurred, arrival, arrived), self._oldest)

    def _arrival(self, received: int | None, original: int | None, kafka: int | None, arrived: int) -> int | None:
        """The message's receivedAt when it is a time that can be, else Kafka's, else the event's own; None = none of them can be."""
        if received is not None:
            earlier = arrived if kafka is None or kafka > arrived else kafka
            if self._oldest <= received <= earlier + self._future:
                return received
        for moment in (kafka, original):
            if moment is not None and self._oldest <= moment <= arrived + self._future:
                return moment
        return None

    def _occurred(self, received: int, sent: int | None, original: int | None, *, uses_sent: bool) -> int:
        if original is None:
            return received
        if sent is None:
            return original
        if uses_sent:
            return received - (sent - original)
        is_sent_before = self._oldest <= sent < original  # the clock was set back between the event and its sending
        return received if is_sent_before else original

    def _uses(self, received: int | None, sent: int, original: int) -> bool:
        """Whether sentAt tells how long ago it happened."""
        if received is None:
            return False
        delay = sent - original
        if delay < 0 or received - delay < self._oldest:
            return False
        is_sane = self._oldest <= original <= received + self._future
        return delay <= LONGEST_DELAY_DAYS * _DAY_US or not is_sane


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def instant(sent: str | None) -> int | None:
    """ISO 8601 or a number since 1970, by the grammar of clock.ISO and NUMBER, in the form of an id; None for anything else."""
    if sent is None:
        return None
    try:
        if len(sent) == 24 and sent[4] == sent[7] == "-" and sent[10] == "T" and sent[19] == "." and sent[23] == "Z":
            return (datetime.fromisoformat(sent) - _EPOCH) // _MICROSECOND  # as every SDK writes it
        bare = _ZONE_NAME.sub("", ids.normalise(sent))
        if (parts := _ISO.fullmatch(bare)) is None:
            return _of_number(float(bare)) if _NUMBER.fullmatch(bare) else None
        year, month, day, minutes, seconds, fraction, zone = parts.groups()
        return microseconds(
            datetime.fromisoformat(
                f"{year}-{int(month):02}-{int(day):02}T{minutes or '00:00'}:{seconds or '00'}.{(fraction or '')[:6]:0<6}{_offset(zone)}"
            )
        )
    except (ValueError, OverflowError):
        return None


def instants(sent: Sequence[str | None]) -> NDArray[np.int64]:
    """The same of many texts, _NEVER for None. Those that are written as every SDK writes them are read at once."""
    usual = [text if text is not None and len(text) == _USUAL_LENGTH and text[-1] == "Z" else None for text in sent]
    try:
        read = pa.array(usual, pa.string()).cast(_TIME).view(pa.int64())
    except pa.ArrowInvalid:  # one of them is no time
        return _numbers(map(instant, sent))
    times: NDArray[np.int64] = pc.fill_null(read, _NEVER).to_numpy().copy()
    for number in np.flatnonzero(times < _YEAR_1_US).tolist():
        if (text := sent[number]) is not None:
            times[number] = _NEVER if (time := instant(text)) is None else time
    return times


def _numbers(times: Iterable[int | None]) -> NDArray[np.int64]:
    return np.array([_NEVER if time is None else time for time in times], np.int64)


def _told(*times: np.int64) -> tuple[int | None, ...]:
    return tuple(None if time == _NEVER else int(time) for time in times)


def _are_none(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    return np.array([text is None for text in texts], np.bool_)


def _of_number(number: float) -> int:
    """The size of a number tells its unit; one beyond the years a timestamp can hold is the last of them."""
    unit = next((unit for below, unit in UNITS if abs(number) < below), None)
    return _LAST_US if unit is None else int(max(min(number * unit // 1, _LAST_US), _FIRST_US))


def _offset(zone: str | None) -> str:
    if zone in (None, "Z", "z", "UTC", "GMT"):
        return "+00:00"
    digits = zone.replace(":", "")
    return f"{digits[:3]}:{digits[3:] or '00'}"
