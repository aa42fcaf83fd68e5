"""Kafka record -> accepted event or rejected record. One row in, one row out; Spark SQL expressions only.

Used unchanged by streaming/silver_events.py, streaming/profiles.py and batch/rebuild.py. The steps are projections that
Spark prunes by column; whatever is used more than once (document, message, texts, amounts, identifiers) is a column of
an earlier step, because Spark evaluates an expression again wherever it is written again.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.contracts.contract import CONSENT
from lakehouse.contracts.events import SILVER_EVENTS
from lakehouse.events import amounts, clock, commerce, document, envelope, identifiers, privacy, schema
from lakehouse.events.bots import is_bot
from lakehouse.events.traits import personal_traits

_LINEAGE = ("topic", "partition", "offset", "value", "kafka_timestamp", "content_hash")
_NOT_TEXT = ("document", "message", "document_verdict")


def parse(records: DataFrame, config: Config) -> DataFrame:
    """Every record with the columns of SILVER_EVENTS and its verdict.

    `records`: value, topic, partition, offset, timestamp of the Kafka source, or the same from bronze.events.

    Besides: `traits` map<string,string>, raw personal traits of an identify event, null = none; `value`, the bytes;
    `kafka_timestamp`; `reason`, `detail`: null when the event is accepted, else the first rule of
    lakehouse/events/reasons.py that it breaks. Of a rejected record only lineage, value, reason and detail mean
    anything. No record makes this fail.
    """
    documents = _with_document(records, config)
    texts = _with_texts(documents)
    parsed = _with_parsed(texts, config)
    judged = _with_verdict(parsed, config)
    return judged.select(*SILVER_EVENTS.column_names, "traits", "value", "kafka_timestamp", "reason", "detail")


def _with_document(records: DataFrame, config: Config) -> DataFrame:
    """Lineage, the document as variant, the message as one struct of texts."""
    value = F.col("value")
    lineage = records.select(
        "topic",
        "partition",
        "offset",
        "value",
        F.col("timestamp").alias("kafka_timestamp"),
        F.xxhash64(value).alias("content_hash"),
        document.text_of(value, config.events).alias("text"),
    )
    depths = lineage.select("*", document.is_too_deep(F.col("text"), config.events).alias("is_deep"))
    is_deep, content_hash = F.col("is_deep"), F.col("content_hash")
    documents = depths.select("*", document.document_of(F.col("text"), content_hash, is_deep).alias("document"))
    messages = documents.select("*", F.try_variant_get("document", "$[0]", schema.ddl()).alias("message"))
    return messages.select(*_LINEAGE, "document", "message", document.verdict(config.events).alias("document_verdict"))


def _with_texts(documents: DataFrame) -> DataFrame:
    """Every field of the message as text under its name."""
    texts = [schema.text(field, "message").alias(field) for field in schema.PLACES]
    return documents.select(*_LINEAGE, *_NOT_TEXT, *texts)


def _with_parsed(texts: DataFrame, config: Config) -> DataFrame:
    """Times, amounts, products and identifiers read from their texts."""
    times = {name: clock.instant(F.col(name)) for name in ("original_timestamp", "sent_at", "received_at_sent")}
    read = texts.select(
        "*",
        *(column.alias(f"{name}_time") for name, column in times.items()),
        *(amounts.amount(F.col(name)).alias(f"{name}_amount") for name in commerce.AMOUNTS),
        commerce.read_products(F.col("message.properties.products")).alias("products"),
        identifiers.bundle(F.col("message.context.externalIds"), config).alias("identifiers"),
    )
    received = read.select(
        "*",
        clock.received_at(F.col("received_at_sent_time"), F.col("kafka_timestamp"), config.events).alias("received_at"),
        commerce.order_value(F.col("products")).alias("order_value"),
    )
    original, sent = F.col("original_timestamp_time"), F.col("sent_at_time")
    return received.select("*", clock.corrected_us(F.col("received_at"), sent, original).alias("occurred_us"))


def _with_verdict(parsed: DataFrame, config: Config) -> DataFrame:
    """The columns of silver.events and the one verdict."""
    times = clock.occurred(F.col("received_at"), F.col("occurred_us"), config.events)
    judged = parsed.select(
        *_LINEAGE,
        "type",
        "message_id",
        "received_at",
        "identifiers",
        times.occurred_at.alias("occurred_at"),
        F.coalesce(times.is_clamped, F.lit(False)).alias("is_clamped"),
        F.coalesce(F.col("document_verdict"), envelope.verdict(times.out_of_range)).alias("verdict"),
        identifiers.actor_id(F.col("identifiers")).alias("actor_id"),
        personal_traits(F.col("document")).alias("traits"),
        *(column.alias(name) for name, column in _event_columns(config).items()),
        F.col("message.context.consent.categoryPreferences").alias("preferences"),
    )
    return judged.select("*", "verdict.reason", "verdict.detail", _consent().alias("consent"))


def _event_columns(config: Config) -> dict[str, Column]:
    """What the event says, personal values hidden."""
    is_track, event = F.col("type") == "track", F.col("event_name")
    is_order = is_track & event.isin(*commerce.ORDER_VALUE_EVENTS)
    products, single = F.col("products"), F.get(F.col("products"), F.lit(0))["product_id"]
    currency = F.coalesce(F.upper("currency"), F.lit(config.events.default_currency))
    page = F.when(F.col("type").isin("page", "screen"), F.col("page_name"))
    user_id = F.when(identifiers.is_usable(F.col("user_id"), config), F.col("user_id"))
    ids = {name: F.col(name) for name in ("anonymous_id", "previous_id", "group_id", "order_id", "session_id")}
    texts = {
        "event": F.when(is_track, event).otherwise(page),
        "product_id": F.coalesce(F.col("product_id"), F.when(F.size(products) == 1, single)),
        "coupon": F.col("coupon"),
        "campaign": F.col("campaign"),
        "channel": F.col("channel"),
    }
    return {
        **{
            name: identifiers.hidden(name, column, config)
            for name, column in ({"user_id": user_id} | ids | texts).items()
        },
        "revenue": F.when(is_order, F.col("order_value")),
        "currency": F.when(is_order, currency),
        "lines": F.when(is_track, commerce.lines(products)),
        "page_url": privacy.bare_url(F.col("page_url")),
        "query": F.when(event == commerce.PRODUCTS_SEARCHED, privacy.without_email(F.col("query"))),
        "is_bot": is_bot(F.col("user_agent"), config.events.bot_user_agents),
    }


def _consent() -> Column:
    """What the event says of consent, with the time it was said; null = nothing of the three purposes."""
    purposes = [F.col(f"preferences.{name}") for name in ("analytics", "personalization", "marketing")]
    consent = F.struct(F.col("occurred_at").alias("at"), F.col("message_id"), *purposes)
    return F.when(F.coalesce(*purposes).isNotNull(), consent.cast(CONSENT))
