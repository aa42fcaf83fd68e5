"""Kafka record -> accepted event or rejected record. One row in, one row out; Spark SQL expressions only.

Used unchanged by streaming/silver_events.py, streaming/profiles.py and batch/rebuild.py. The steps are projections that
Spark prunes by column; whatever is used more than once (document, message, texts, products, identifiers) is a column of
an earlier step, because Spark evaluates an expression again wherever it is written again. Rules that hold for many
fields are written once, over an array of the fields: a streaming query plans anew for every micro-batch, and planning
costs by the size of what is written.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import (
    amounts,
    clock,
    commerce,
    contracts,
    document,
    envelope,
    identifiers,
    privacy,
    schema,
    verdict,
)
from lakehouse.events.bots import is_bot
from lakehouse.events.tokens import hidden
from lakehouse.events.traits import personal_traits
from lakehouse.tables.contract import CONSENT
from lakehouse.tables.events import SILVER_EVENTS

_LINEAGE = ("topic", "partition", "offset", "value", "kafka_timestamp", "content_hash")
# Fields of schema.TEXTS that silver.events shows as they were sent: never an e-mail address.
_SHOWN = (
    *("message_id", "user_id", "anonymous_id", "previous_id", "group_id", "order_id", "product_id", "session_id"),
    *("event_name", "page_name", "coupon", "campaign", "channel"),
)
_COUNTRY = "traits.address.country"
_TIMES = ("original_timestamp", "sent_at")
_WITH_VALUE = contracts.names(lambda contract: contract.has_value)
_WITH_QUERY = contracts.names(lambda contract: contract.keeps_query)


def parse(records: DataFrame, config: Config) -> DataFrame:
    """Every record with the columns of SILVER_EVENTS and its verdict.

    `records`: value, topic, partition, offset, timestamp of the Kafka source, or the same from bronze.events.

    Besides: `traits` map<string,string>, raw personal traits of an identify event, null = none; `value`, the bytes;
    `kafka_timestamp`; `reason`, `detail`: null when the event is accepted, else the first rule of
    lakehouse/events/reasons.py that it breaks. Of a rejected record only lineage, value, reason and detail mean
    anything. No record makes this fail.
    """
    judged = _judged(_fields(_sent(_messages(records, config), config), config), config)
    reason, detail = verdict.reason_of(F.col("verdict")), verdict.detail_of(F.col("verdict"))
    columns = (*SILVER_EVENTS.column_names, "traits", "value", "kafka_timestamp")
    return judged.select(*columns, reason.alias("reason"), detail.alias("detail"))


def _messages(records: DataFrame, config: Config) -> DataFrame:
    """Lineage, the document as variant, the message as one struct."""
    value, text = F.col("value"), F.col("text")
    lineage = records.select(
        "topic",
        "partition",
        "offset",
        "value",
        F.col("timestamp").alias("kafka_timestamp"),
        F.xxhash64(value).alias("content_hash"),
        document.text_of(value, config.events).alias("text"),
    )
    documents = lineage.select("*", _once(document.document_of(text, F.col("content_hash"))).alias("document"))
    return documents.select("*", _once(F.try_variant_get("document", "$[0]", schema.ddl())).alias("message"))


def _once(column: Column) -> Column:
    """The column, which no filter of a caller is ever pushed below.

    Spark pushes a filter below a projection by writing the projection's expressions into the filter: `NOT is_bot` would
    parse every record seven times more. It does not where an expression is not deterministic; a partition's number is
    not, in its book.
    """
    return F.when(F.spark_partition_id() >= 0, column)


def _sent(messages: DataFrame, config: Config) -> DataFrame:
    """What the message holds, as sent: from here on neither document nor message is needed."""
    return messages.select(
        *_LINEAGE,
        *(schema.sent(field).alias(f"sent_{field}") for field in schema.TEXTS),
        *(F.trim(schema.not_blank(schema.at(place))).alias(f"{name}_text") for name, place in schema.AMOUNTS.items()),
        F.trim(schema.at("receivedAt")).alias("sent_received_at"),
        F.coalesce(schema.at("context.page.url"), schema.at("properties.url")).alias("sent_page_url"),
        schema.at("properties.query").alias("sent_query"),
        schema.at("context.userAgent").alias("user_agent"),
        schema.at("context.consent.categoryPreferences").alias("preferences"),
        document.verdict(config.events).alias("document_verdict"),
        envelope.structure_verdict().alias("structure_verdict"),
        commerce.products_verdict().alias("products_verdict"),
        commerce.products().alias("products"),
        F.trim(schema.at(_COUNTRY)).alias("sent_country"),
        identifiers.external_ids(config, F.trim(schema.at(_COUNTRY))).alias("external_ids"),
        personal_traits().alias("traits"),
    )


def _fields(sent: DataFrame, config: Config) -> DataFrame:
    """Texts, times and amounts read; personal values hidden; identifiers resolved."""
    types = {"previous_id": "anonymous_id"}  # the same token as in identifiers
    shown = {field: hidden(config.privacy, F.lit(types.get(field, field)), F.col(f"sent_{field}")) for field in _SHOWN}
    amount_texts = [f"{name}_text" for name in schema.AMOUNTS]
    kept = ("sent_page_url", "sent_query", "user_agent", "preferences", "products", "traits")
    verdicts = ("document_verdict", "structure_verdict", "products_verdict")
    received = clock.received_at(clock.instant(F.col("sent_received_at")), F.col("kafka_timestamp"), config.events)
    return sent.select(
        *_LINEAGE,
        *kept,
        *verdicts,
        *amount_texts,
        *(column.alias(field) for field, column in shown.items()),
        *(F.col(f"sent_{field}").alias(field) for field in ("type", "currency", *_TIMES)),
        *(clock.instant(F.col(f"sent_{field}")).alias(f"{field}_time") for field in _TIMES),
        *(amounts.amount(F.col(f"{name}_text")).alias(f"{name}_amount") for name in schema.AMOUNTS),
        received.alias("received_at"),
        schema.text_verdict().alias("text_verdict"),
        identifiers.bundle(config, F.col("sent_country")).alias("identifiers"),
    )


def _judged(fields: DataFrame, config: Config) -> DataFrame:
    """The columns of silver.events and the one verdict."""
    received, occurred_us = F.col("received_at"), F.col("occurred_us")
    corrected = clock.corrected_us(received, F.col("sent_at_time"), F.col("original_timestamp_time"))
    is_order = (F.col("type") == "track") & F.col("event_name").isin(*_WITH_VALUE)
    timed = fields.withColumns({"occurred_us": corrected, "order_value": F.when(is_order, commerce.order_value())})
    dated = timed.withColumns(
        {
            "occurred_at": clock.occurred_at(received, occurred_us),
            "is_clamped": F.coalesce(occurred_us > F.unix_micros(received), F.lit(False)),
            "clock_verdict": clock.verdict(received, occurred_us, config.events),
        }
    )
    judged = _once(F.coalesce(F.col("document_verdict"), envelope.verdict()))
    return dated.withColumns({"verdict": judged} | _event_columns(config))


def _event_columns(config: Config) -> dict[str, Column]:
    type_, event, products = F.col("type"), F.col("event_name"), F.col("products")
    is_track = type_ == "track"
    is_order = is_track & event.isin(*_WITH_VALUE)
    single = F.when(F.size(products) == 1, F.get(products, F.lit(0))["product_id"])
    currency = F.coalesce(F.upper("currency"), F.lit(config.events.default_currency))
    return {
        "actor_id": identifiers.actor_id(F.col("identifiers")),
        "user_id": F.when(
            F.array_contains("identifiers.token", F.col("user_id")), F.col("user_id")
        ),  # not a blocked one
        "event": F.when(is_track, event).when(type_.isin("page", "screen"), F.col("page_name")),
        "product_id": F.coalesce(F.col("product_id"), single),
        "revenue": F.col("order_value"),
        "currency": F.when(is_order, currency),
        "lines": F.when(is_track, commerce.lines(products)),
        "consent": _consent(),
        "page_url": privacy.bare_url(F.col("sent_page_url")),
        "query": F.when(event.isin(*_WITH_QUERY), privacy.without_email(F.col("sent_query"))),
        "is_bot": is_bot(F.col("user_agent"), config.events.bot_user_agents),
    }


def _consent() -> Column:
    """What the event says of consent, with the time it was said; null = nothing of the three purposes."""
    purposes = [F.col(f"preferences.{name}") for name in ("analytics", "personalization", "marketing")]
    consent = F.struct(F.col("occurred_at"), F.col("message_id"), *purposes)
    return F.when(F.coalesce(*purposes).isNotNull(), consent.cast(CONSENT))
