"""lakehouse/events/clock.py as columns. All times are UTC."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import EventsConfig
from lakehouse.events import ids
from lakehouse.events import reasons as R
from lakehouse.events.clock import ISO, LONGEST_DELAY_DAYS, NUMBER, UNITS, ZONE_NAME
from lakehouse.lane.reading.verdict import fault, first

_LAST_US = 253_402_300_799_999_999.0  # year 9999
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000


def instant(text: Column) -> Column:
    """Text -> timestamp: ISO 8601 (zone, fraction, unpadded month and day allowed) or a number since 1970, see UNITS.

    Null when it is neither. A number beyond the years a timestamp can hold becomes the last of them, and so is out of range.
    """
    bare = F.regexp_replace(ids.normalised(text), ZONE_NAME, "")
    iso = F.when(bare.rlike(ISO), F.upper(bare).try_cast("timestamp"))
    number = F.when(bare.rlike(NUMBER), bare.try_cast("double"))
    microseconds = F.lit(_LAST_US)
    for below, unit in reversed(UNITS):
        microseconds = F.when(F.abs(number) < below, F.floor(number * F.lit(unit))).otherwise(microseconds)
    within = F.greatest(F.least(microseconds, F.lit(_LAST_US)), F.lit(-_LAST_US / 5))
    return F.coalesce(iso, F.when(number.isNotNull(), F.timestamp_micros(within.cast("bigint"))))


def received_at(sent: Column, kafka: Column, original: Column, arrived_at: Column, config: EventsConfig) -> Column:
    """The message's receivedAt when it is a time that can be, else Kafka's, else the event's own; null = none of them can be.

    `arrived_at`: wall clock of whoever took the record in. It bounds the others and is none of them, because several
    take a record in, each at its own time.
    """

    def sane(moment: Column, latest: Column) -> Column:
        return F.when((moment >= oldest(config)) & F.coalesce(moment <= _latest(latest, config), F.lit(True)), moment)

    return F.coalesce(sane(sent, F.least(kafka, arrived_at)), sane(kafka, arrived_at), sane(original, arrived_at))


def oldest(config: EventsConfig) -> Column:
    return F.lit(config.oldest).cast("timestamp")


def _latest(arrived: Column, config: EventsConfig) -> Column:
    return arrived + F.make_dt_interval(hours=F.lit(config.max_future_hours))


def occurred_us(received: Column, sent: Column, original: Column, config: EventsConfig) -> Column:
    """Microseconds since 1970 of the event, before it is bounded by arrival.

    Without original time the event happened when it was received; without a sentAt that can be the original time stands.
    """
    received_us, original_us = F.unix_micros(received), F.unix_micros(original)
    corrected = received_us - (F.unix_micros(sent) - original_us)
    return (
        F.when(original.isNull(), received_us)
        .when(uses_sent_at(received, sent, original, config), corrected)
        .when(is_sent_before(sent, original, config), received_us)
        .otherwise(original_us)
    )


def is_sent_before(sent: Column, original: Column, config: EventsConfig) -> Column:
    """Whether the sender's clock was set back between the event and its sending."""
    return F.coalesce((sent < original) & (sent >= oldest(config)), F.lit(False))


def uses_sent_at(received: Column, sent: Column, original: Column, config: EventsConfig) -> Column:
    """Whether sentAt tells how long ago it happened; false without one."""
    delay_us = F.unix_micros(sent) - F.unix_micros(original)
    is_original_sane = (original >= oldest(config)) & (original <= _latest(received, config))
    can_be = (delay_us >= 0) & (F.unix_micros(received) - delay_us >= F.unix_micros(oldest(config)))
    return F.coalesce(can_be & ((delay_us <= LONGEST_DELAY_DAYS * _DAY_US) | ~is_original_sane), F.lit(False))


def occurred_at(received: Column, occurred_us: Column, config: EventsConfig) -> Column:
    """The corrected time, at most the time of arrival; null when it is before events.oldest and so refused."""
    is_in_range = occurred_us >= F.unix_micros(oldest(config))
    return F.when(is_in_range, F.least(F.timestamp_micros(occurred_us), received))


def verdict(received: Column, occurred_us: Column, config: EventsConfig) -> Column:
    """First fault for which no time is left; null = none. Reads original_timestamp and original_timestamp_time.

    A time ahead of arrival by up to max_future_hours is clamped to arrival, not refused.
    """
    ahead_us = occurred_us - F.unix_micros(received)
    is_outside = (ahead_us > config.max_future_hours * _HOUR_US) | (occurred_us < F.unix_micros(oldest(config)))
    is_unread = F.col("original_timestamp").isNotNull() & F.col("original_timestamp_time").isNull()
    return first(
        (is_unread, fault(R.INVALID_TIMESTAMP, "originalTimestamp: ISO 8601 or a number since 1970 expected")),
        (
            received.isNull(),
            fault(R.TIMESTAMP_OUT_OF_RANGE, "receivedAt: none that can be, and none from Kafka"),
        ),
        (is_outside, fault(R.TIMESTAMP_OUT_OF_RANGE, "originalTimestamp corrected by sentAt")),
    )
