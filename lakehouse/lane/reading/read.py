"""Kafka record -> what a rule of the lane may ask of an event, and the verdict. One row in, one row out, Spark SQL alone.

lakehouse/events/event_row.py is the reading of an event; this is the part of it that Real-Time Mode can run, and a test holds it to
that. The steps are projections that Spark prunes by column; whatever is used more than once (document, message, texts, products) is a
column of an earlier step, because Spark evaluates an expression again wherever it is written again.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import amounts, contracts, ids, schema
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import blocked
from lakehouse.events.envelope import NEEDED, TYPES
from lakehouse.lane.reading import clock, commerce, document, places
from lakehouse.lane.reading.verdict import fault, first

_LINEAGE = ("topic", "partition", "offset", "value", "kafka_timestamp")
_TIMES = ("original_timestamp", "sent_at")
_WITH_VALUE = contracts.names(lambda contract: contract.has_value)
_ARRIVED_AT = "arrived_at"


def read(records: DataFrame, config: Config) -> DataFrame:
    """`records`: as `events.parse` takes them.

    Columns: fields of schema.TEXTS; of silver.events type, event, product_id, order_id, session_id, lines and occurred_at;
    price_amount, library, user_agent; and `verdict`, null when nothing but its sender speaks against the event.
    """
    sent = _sent(_messages(records, config), config).withColumns(places.in_one_form())
    return _judged(_fields(sent, config), config)


def _messages(records: DataFrame, config: Config) -> DataFrame:
    """Lineage, the document as variant, the message as one struct."""
    value, text = F.col("value"), F.col("text")
    lineage = records.select(
        "topic",
        "partition",
        "offset",
        "value",
        _ARRIVED_AT,
        F.col("timestamp").alias("kafka_timestamp"),
        document.seal(value).alias("seal"),
        document.text_of(value, config.events).alias("sent_text"),
    )
    mended = lineage.withColumn("text", document.mended(F.col("sent_text")))
    documents = mended.select("*", _once(document.document_of(text, F.col("seal"))).alias("document"))
    return documents.select("*", _once(F.try_variant_get("document", "$[0]", places.ddl())).alias("message"))


def _once(column: Column) -> Column:
    """The column, which no filter of a caller is ever pushed below.

    Spark pushes a filter below a projection by writing the projection's expressions into the filter, and would parse every
    record again. It does not where an expression is not deterministic; a partition's number is not, in its book.
    """
    return F.when(F.spark_partition_id() >= 0, column)


def _sent(messages: DataFrame, config: Config) -> DataFrame:
    """What the message holds, as sent: from here on neither document nor message is needed."""
    own, scope = config.events.own_contact_events, config.events.order_scope
    its_shop = (
        F.try_variant_get("document", f"$[0].properties.{scope}", "string") if scope else F.lit(None).cast("string")
    )
    is_declared = ids.normalised(places.sent("event_name")).isin(*own) if own else None
    return messages.select(
        *_LINEAGE,
        _ARRIVED_AT,
        *(places.sent(field, is_declared).alias(f"sent_{field}") for field in schema.TEXTS),
        *(
            ids.normalised(F.trim(places.not_blank(places.at(place)))).alias(f"{name}_text")
            for name, place in schema.AMOUNTS.items()
        ),
        F.trim(places.not_blank(its_shop)).alias("order_scope"),
        F.trim(places.at("receivedAt")).alias("sent_received_at"),
        places.at("context.userAgent").alias("user_agent"),
        places.at("context.library.name").alias("library"),
        document.verdict(config.events).alias("document_verdict"),
        commerce.products(config.events, blocked("", config.identity)).alias("products"),
        commerce.products_text().alias("products_text"),
    )


def _fields(sent: DataFrame, config: Config) -> DataFrame:
    """Texts, times and amounts read; what cannot be what its field must be is null."""
    junk = blocked("", config.identity)
    read = {field: places.usable(field, junk) for field in schema.TEXTS}
    type_, name, currency, order_id = (read[field] for field in ("type", "event_name", "currency", "order_id"))
    read |= {
        "event_name": F.when(type_ == "track", contracts.canonical(name, config.events.names)).otherwise(name),
        "currency": F.upper(currency),
        "order_id": F.when(order_id.isNotNull(), F.concat_ws("/", "order_scope", order_id)),
    }
    most = config.events.max_amount
    return sent.withColumns(
        {
            **read,
            "is_track": F.coalesce(type_ == "track", F.lit(False)),
            **{f"{field}_time": clock.instant(F.col(f"sent_{field}")) for field in (*_TIMES, "received_at")},
            **{f"{name}_amount": amounts.amount(F.col(f"{name}_text"), most) for name in schema.AMOUNTS},
        }
    )


def _judged(fields: DataFrame, config: Config) -> DataFrame:
    events = config.events
    sent_at, original = F.col("sent_at_time"), F.col("original_timestamp_time")
    received = clock.received_at(
        F.col("received_at_time"), F.col("kafka_timestamp"), original, F.col(_ARRIVED_AT), events
    )
    is_track, event, products = F.col("is_track"), F.col("event_name"), F.col("products")
    has_value = is_track & event.isin(*_WITH_VALUE)
    timed = fields.withColumns(
        {
            "received_at": received,
            "figure_faults": commerce.figure_faults(events),
            "order_value": F.when(has_value, commerce.order_value(events)),
        }
    ).withColumn("occurred_us", clock.occurred_us(F.col("received_at"), sent_at, original, events))
    received, occurred_us = F.col("received_at"), F.col("occurred_us")
    single = F.when(F.size(products) == 1, F.get(products, F.lit(0))["product_id"])
    dated = timed.withColumns(
        {
            "occurred_at": clock.occurred_at(received, occurred_us, events),
            "clock_verdict": clock.verdict(received, occurred_us, events),
            "event": F.when(is_track, event).when(F.col("type").isin("page", "screen"), F.col("page_name")),
            "product_id": F.coalesce(F.col("product_id"), single),
            "lines": F.when(is_track, commerce.lines(products)),
        }
    )
    return dated.withColumn("verdict", _once(F.coalesce(F.col("document_verdict"), _verdict())))


def _verdict() -> Column:
    """First fault that takes the meaning from a message that is one JSON object; null = none. Who sent it is not asked here."""
    missing = [
        (
            F.col(field).isNull() if type_ is None else (F.col("type") == type_) & F.col(field).isNull(),
            places.lacking(field),
        )
        for type_, field in NEEDED
    ]
    expected = f"type: one of {', '.join(TYPES)} expected"
    return F.coalesce(
        first(*missing, (~F.col("type").isin(*TYPES), fault(R.UNKNOWN_TYPE, expected))),
        places.spoilt("original_timestamp"),
        F.col("clock_verdict"),
        commerce.verdict(),
    )
