"""When an event happened: the client's time, corrected for the client's clock.

Segment spec: timestamp = receivedAt - (sentAt - originalTimestamp). All times are UTC; a time without zone is UTC.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import EventsConfig
from lakehouse.events import reasons as R
from lakehouse.events.verdict import fault, first

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


def occurred_at(received: Column, occurred_us: Column) -> Column:
    """The corrected time, at most the time of arrival; null when it is before 1970 and so refused."""
    return F.when(occurred_us >= 0, F.least(F.timestamp_micros(occurred_us), received))


def verdict(received: Column, occurred_us: Column, config: EventsConfig) -> Column:
    """First fault of the times; null = none. Reads the texts original_timestamp and sent_at, and their `_time`s.

    A corrected time ahead of arrival by up to max_future_hours is clamped to arrival, not refused.
    """
    ahead_us = occurred_us - F.unix_micros(received)
    is_outside = (ahead_us > config.max_future_hours * _HOUR_US) | (occurred_us < 0)
    unread = [
        (
            F.col(field).isNotNull() & F.col(f"{field}_time").isNull(),
            fault(R.INVALID_TIMESTAMP, f"{place}: ISO 8601 or epoch milliseconds expected"),
        )
        for field, place in (("original_timestamp", "originalTimestamp"), ("sent_at", "sentAt"))
    ]
    return first(
        *unread,
        (received.isNull(), fault(R.INVALID_TIMESTAMP, "receivedAt: none sent, and none from Kafka")),
        (is_outside, fault(R.TIMESTAMP_OUT_OF_RANGE, "originalTimestamp corrected by sentAt")),
    )
