"""When an event happened: the client's time, corrected for the client's clock.

Segment spec: timestamp = receivedAt - (sentAt - originalTimestamp). All times are UTC; a time without zone is UTC.
"""

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import EventsConfig
from lakehouse.events import reasons as R
from lakehouse.events.verdict import reject

_NUMBER = r"\A[-+]?[0-9][0-9.]*+(?:[eE][-+]?[0-9]{1,3})?\z"
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # years 1 and 9999: what a timestamp can hold
_HOUR_US = 3_600_000_000


def instant(text: Column) -> Column:
    """Text -> timestamp: ISO 8601 (zone, fraction, unpadded month and day allowed) or a number of epoch milliseconds.

    Null when it is neither. A number outside of years 1 to 9999 becomes the nearest of them, so that it is refused as
    out of range. A text is a date only with its dash after a year of four digits: Spark would take `12:00` for today.
    """
    number = text.try_cast("double")
    clamped = F.greatest(F.least(number, F.lit(float(_LAST_MS))), F.lit(float(_FIRST_MS)))
    milliseconds = F.when(text.rlike(_NUMBER) & number.isNotNull(), F.floor(clamped).try_cast("bigint"))
    iso = F.when(text.rlike(r"\A[0-9]{4}-"), text.try_cast("timestamp"))
    return F.coalesce(iso, F.timestamp_millis(milliseconds))


def received_at(sent: Column, kafka_timestamp: Column, config: EventsConfig) -> Column:
    """The message's receivedAt when it is a sane time: since 1970, at most max_future_hours after Kafka took it in.

    Otherwise the Kafka timestamp.
    """
    latest = kafka_timestamp + F.make_dt_interval(hours=F.lit(config.max_future_hours))
    is_sane = (sent >= F.timestamp_seconds(F.lit(0))) & F.coalesce(sent <= latest, F.lit(True))
    return F.coalesce(F.when(is_sane, sent), kafka_timestamp)


def corrected_us(received: Column, sent: Column, original: Column) -> Column:
    """Microseconds since 1970 of the event: receivedAt - (sentAt - originalTimestamp).

    Without sentAt the original time stands; without original time the event happened when it was received.
    """
    received_us, sent_us, original_us = (F.unix_micros(c) for c in (received, sent, original))
    return F.coalesce(received_us - (sent_us - original_us), original_us, received_us)


@dataclass(frozen=True, kw_only=True)
class Times:
    """What the clock says of an event: two columns, and the verdict when occurred_at is null."""

    occurred_at: Column
    is_clamped: Column
    out_of_range: Column


def occurred(received: Column, occurred_us: Column, config: EventsConfig) -> Times:
    """A time ahead of arrival by up to max_future_hours is set to arrival; beyond, or before 1970, it is refused."""
    ahead_us = occurred_us - F.unix_micros(received)
    is_outside = (ahead_us > config.max_future_hours * _HOUR_US) | (occurred_us < 0)
    return Times(
        occurred_at=F.when(~is_outside, F.least(F.timestamp_micros(occurred_us), received)),
        is_clamped=ahead_us > 0,
        out_of_range=reject(is_outside, R.TIMESTAMP_OUT_OF_RANGE, "originalTimestamp corrected by sentAt"),
    )


def invalid(text: Column, parsed: Column, place: str) -> Column:
    """The verdict on a time that was sent and cannot be read."""
    detail = f"{place}: ISO 8601 or epoch milliseconds expected"
    return reject(text.isNotNull() & parsed.isNull(), R.INVALID_TIMESTAMP, detail)
