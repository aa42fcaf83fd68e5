"""Kafka record of an event -> one message per rule it may set off. Stateless projections only, as Real-Time Mode demands.

A candidate is no decision: the stream knows the event and nothing of the person, and whether a program sent it is asked
where it is decided on. Of who sent it a candidate names what is no address and no telephone number: those are read in Python, and
their tokens need a key, which stands in no plan. An event that nothing else names sets off nothing here. Serving takes a candidate's event fields and
the online profile, evaluates the whole rule and only then acts. So a rule's condition here must hold whenever the
rule holds (a sound over-approximation), and nothing more.

Source of the allow-list: RealTimeModeAllowlist of Spark 4.2.0 (Project, Filter, Generate; no Python, no shuffle, no state).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events.blocked_values import blocked
from lakehouse.events.identifiers import EMAIL, FIELDS, GUEST, PHONE, USER
from lakehouse.events.tokens import PERSONAL
from lakehouse.lane.candidate import encode
from lakehouse.lane.reading.places import not_blank
from lakehouse.lane.reading.read import read
from lakehouse.rules.column import event_part
from lakehouse.rules.expression import Expression


@dataclass(frozen=True, kw_only=True)
class LaneRule:
    """A rule that waits for events of these names; `expression`: the whole of it."""

    name: str
    events: tuple[str, ...]
    expression: Expression

    def condition(self) -> Column:
        """What must be true of the event for the rule to hold."""
        is_awaited = F.col("event_name").isin(*self.events)
        part = event_part(self.expression)
        return is_awaited if part is None else is_awaited & part


def candidates(
    records: DataFrame, config: Config, rules: Sequence[LaneRule], *, rules_version: str, not_before: datetime
) -> DataFrame:
    """Rows (key, value) for the decisions topic, as candidate.py tells: one per accepted event and rule whose condition is true of it.

    Args:
        records: of the Kafka source, as `events.parse` takes them.
        config: the same that silver is parsed by, so that tokens are the same.
        rules: those of the stream; a condition that is null counts as false.
        rules_version: written into every message.
        not_before: records that arrived earlier set off nothing: a restart replays, and acting late is not acting at once.
    """
    named = read(records, config).withColumn("identifiers", identifiers(config))
    accepted = named.where(
        F.col("verdict").isNull() & (F.size("identifiers") > 0) & (F.col("kafka_timestamp") >= F.lit(not_before))
    )
    return encode(matched(vocabulary(accepted), rules), rules_version)


def identifiers(config: Config) -> Column:
    """What names the sender and is not personal: a part of what `events.parse` finds, with the same tokens."""
    source = F.lower(F.coalesce(not_blank(F.trim("library")), F.col("channel")))
    is_of_guests = F.coalesce(source.isin(*config.identity.guest_sources), F.lit(False))
    found = []
    for type_, field in FIELDS:
        if type_ in config.identity.rules and type_ not in (EMAIL, PHONE):
            value = F.col(field)
            is_usable = blocked(type_, config.identity).misses(value) & ~value.rlike(PERSONAL)
            named = F.when(is_of_guests, GUEST).otherwise(type_) if type_ == USER else F.lit(type_)
            found.append(F.when(is_usable, F.struct(named.alias("type"), value.alias("token"))))
    return F.sort_array(F.array_distinct(F.array_compact(F.array(*found))))


def vocabulary(accepted: DataFrame) -> DataFrame:
    """Accepted events with the event columns of the rule vocabulary, and what a message tells besides.

    `category` and `price` are the product's the event is about: its own, or of its only line; null = none or several.
    """
    text, lines = F.col("value").cast("string"), F.col("lines")
    is_single = F.size(lines) == 1
    line_category = F.when(is_single, F.get_json_object(text, "$.properties.products[0].category"))
    own_price = F.when(F.col("price_amount") >= 0, F.col("price_amount"))
    line_price = F.when(is_single, F.get(lines, F.lit(0))["price"])
    return accepted.select(
        *("message_id", "identifiers", "kafka_timestamp", "occurred_at", "product_id", "session_id"),
        *("user_agent", "library", "channel"),
        F.col("type").alias("event_type"),
        F.col("event").alias("event_name"),
        F.coalesce(_first_text(text, "$.properties.category"), line_category).alias("category"),
        F.coalesce(own_price, line_price).cast("double").alias("price"),
        _first_text(text, "$.properties.page_type", "$.properties.pageType", "$.context.page.type").alias("page_type"),
        _first_text(text, "$.context.device.type", "$.properties.device").alias("device"),
    )


def _first_text(text: Column, *places: str) -> Column:
    return F.coalesce(*(not_blank(F.trim(F.get_json_object(text, place))) for place in places))


def matched(events: DataFrame, rules: Sequence[LaneRule]) -> DataFrame:
    """One row per event and rule that may hold: the columns of `vocabulary`, and `rule`."""
    names = [F.when(rule.condition(), F.lit(rule.name)) for rule in rules]
    held = F.array(*names).cast("array<string>")
    return events.withColumn("rule", F.explode(F.filter(held, lambda name: name.isNotNull())))
