"""Kafka record -> accepted event or rejected record. One row in, one row out.

Used unchanged by streaming/silver_events.py, streaming/profiles.py and batch/rebuild.py; the lane takes `read`, which is Spark SQL
alone. The steps are projections that Spark prunes by column; whatever is used more than once (document, message, texts, products)
is a column of an earlier step, because Spark evaluates an expression again wherever it is written again. Rules that hold for many
fields are written once, over an array of the fields: a streaming query plans anew for every micro-batch, and planning costs by the
size of what is written.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import (
    amounts,
    bots,
    clock,
    commerce,
    consent,
    contracts,
    document,
    envelope,
    ids,
    privacy,
    schema,
    verdict,
)
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import blocked
from lakehouse.events.sender import SHOWN, with_sender
from lakehouse.events.traits import personal_traits
from lakehouse.events.verdict import fault
from lakehouse.tables.contract import CONSENT
from lakehouse.tables.events import SILVER_EVENTS

_LINEAGE = ("topic", "partition", "offset", "value", "kafka_timestamp", "content_hash")
# Fields of schema.TEXTS that silver.events shows as they were sent: never an e-mail address.
_TEXTS = (
    *("message_id", "group_id", "order_id", "product_id", "session_id"),
    *("event_name", "page_name", "coupon", "campaign", "channel"),
)
_PREFERENCES = "context.consent.categoryPreferences"
_COUNTRY = "traits.address.country"
_TIMES = ("original_timestamp", "sent_at")
_EXTERNAL_IDS = "array<struct<type:string,id:string>>"
_WITH_VALUE = contracts.names(lambda contract: contract.has_value)
_WITH_QUERY = contracts.names(lambda contract: contract.keeps_query)
ARRIVED_AT = "arrived_at"


def parse(records: DataFrame, config: Config) -> DataFrame:
    """Every record with the columns of SILVER_EVENTS and its verdict.

    `records`: value, topic, partition, offset, timestamp of the Kafka source, or the same from bronze.events; and `arrived_at`,
    the wall clock of whoever took the record in.

    Besides: `traits` map<string,string>, raw personal traits of an identify event, null = none; `value`, the bytes;
    `kafka_timestamp`; `source`, which program sent it: context.library.name, else the channel; `faults`, what was left empty, as
    verdicts (lakehouse/events/verdict.py), null = nothing; `reason`, `detail`: null when the event is accepted, else the first rule
    of lakehouse/events/reasons.py that it breaks. Of a rejected record only lineage, value, reason and detail mean anything. No
    record makes this fail.
    """
    known = _with_sender(read(records, config), config)
    reason, detail = verdict.reason_of(F.col("verdict")), verdict.detail_of(F.col("verdict"))
    columns = (*SILVER_EVENTS.column_names, "traits", "value", "kafka_timestamp", "faults", "source")
    return known.select(*columns, reason.alias("reason"), detail.alias("detail"))


def read(records: DataFrame, config: Config) -> DataFrame:
    """As `parse`, but for who sent it: Spark SQL alone, for the lane.

    Columns: those of SILVER_EVENTS that say nothing of a person, fields of schema.TEXTS, user_agent, and `verdict`.
    """
    sent = _sent(_messages(records, config), config).withColumns(schema.in_one_form())
    return _judged(_fields(sent, config), config)


def _messages(records: DataFrame, config: Config) -> DataFrame:
    """Lineage, the document as variant, the message as one struct."""
    value, text = F.col("value"), F.col("text")
    lineage = records.select(
        "topic",
        "partition",
        "offset",
        "value",
        ARRIVED_AT,
        F.col("timestamp").alias("kafka_timestamp"),
        document.content_hash(value).alias("content_hash"),
        document.text_of(value, config.events).alias("sent_text"),
    )
    mended = lineage.withColumn("text", document.mended(F.col("sent_text")))
    documents = mended.select("*", _once(document.document_of(text, F.col("content_hash"))).alias("document"))
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
    own, scope = config.events.own_contact_events, config.events.order_scope
    its_shop = (
        F.try_variant_get("document", f"$[0].properties.{scope}", "string") if scope else F.lit(None).cast("string")
    )
    is_declared = ids.normalised(schema.sent("event_name")).isin(*own) if own else None
    return messages.select(
        *_LINEAGE,
        ARRIVED_AT,
        *(schema.sent(field, is_declared).alias(f"sent_{field}") for field in schema.TEXTS),
        *(F.trim(schema.not_blank(schema.at(place))).alias(f"{name}_text") for name, place in schema.AMOUNTS.items()),
        F.trim(schema.not_blank(its_shop)).alias("order_scope"),
        F.trim(schema.at("receivedAt")).alias("sent_received_at"),
        F.coalesce(schema.at("context.page.url"), schema.at("properties.url")).alias("sent_page_url"),
        schema.at("properties.query").alias("sent_query"),
        schema.at("context.userAgent").alias("user_agent"),
        schema.at("context.library.name").alias("library"),
        F.try_variant_get("document", f"$[0].{_PREFERENCES}", "map<string,string>").alias("preferences"),
        document.verdict(config.events).alias("document_verdict"),
        (F.col("text") != F.col("sent_text")).alias("is_mended"),
        schema.structure_faults().alias("structure_faults"),
        schema.is_other_than("ARRAY", "properties.products").alias("has_other_products"),
        commerce.products(config.events).alias("products"),
        F.trim(schema.at(_COUNTRY)).alias("sent_country"),
        schema.array_at("context.externalIds", "struct<type:string,id:string>")
        .cast(_EXTERNAL_IDS)
        .alias("external_ids"),
        personal_traits().alias("traits"),
    )


def _fields(sent: DataFrame, config: Config) -> DataFrame:
    """Texts, times and amounts read; what cannot be what its field must be is null."""
    junk = blocked("", config.identity)
    read = {field: schema.usable(field, junk) for field in schema.TEXTS}
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
    """The columns of silver.events, but for who sent it; its faults; the verdict, but for whether anybody sent it."""
    events = config.events
    sent_at, original = F.col("sent_at_time"), F.col("original_timestamp_time")
    received = clock.received_at(
        F.col("received_at_time"), F.col("kafka_timestamp"), original, F.col(ARRIVED_AT), events
    )
    has_value = F.col("is_track") & F.col("event_name").isin(*_WITH_VALUE)
    timed = fields.withColumns(
        {
            "received_at": received,
            "figure_faults": commerce.figure_faults(events),
            "order_value": F.when(has_value, commerce.order_value(events)),
        }
    ).withColumn("occurred_us", clock.occurred_us(F.col("received_at"), sent_at, original, events))
    received, occurred_us, faults = F.col("received_at"), F.col("occurred_us"), _faults(config)
    dated = timed.withColumns(
        {
            "occurred_at": clock.occurred_at(received, occurred_us, events),
            "is_clamped": F.coalesce(occurred_us > F.unix_micros(received), F.lit(False)),
            "clock_verdict": clock.verdict(received, occurred_us, events),
            **faults,
        }
    ).withColumn("faults", verdict.together(["structure_faults", *faults]))
    judged = _once(F.coalesce(F.col("document_verdict"), envelope.verdict()))
    return dated.withColumns({"verdict": judged} | _event_columns(config))


def _faults(config: Config) -> dict[str, Column]:
    """What of the message was left empty: arrays of verdicts that may hold nulls, null = nothing. Columns of their own: read twice."""
    broken = fault(R.BROKEN_TEXT, "document: whole characters expected")
    of_commerce = commerce.faults()
    return {
        "clock_faults": verdict.if_any(
            [F.when(F.col("is_mended"), broken), *clock.faults(F.col("received_at"), config.events)]
        ),
        "text_faults": schema.text_faults(),
        **{f"commerce_faults_{number}": faults for number, faults in enumerate(of_commerce)},
    }


def _event_columns(config: Config) -> dict[str, Column]:
    type_, event, products = F.col("type"), F.col("event_name"), F.col("products")
    is_track = F.col("is_track")
    single = F.when(F.size(products) == 1, F.get(products, F.lit(0))["product_id"])
    # What takes money off an order, or changes it, is in the order's currency where it names none.
    default = F.when(event == contracts.ORDER_COMPLETED.name, F.lit(config.events.default_currency))
    return {
        "event": F.when(is_track, event).when(type_.isin("page", "screen"), F.col("page_name")),
        "product_id": F.coalesce(F.col("product_id"), single),
        "revenue": F.col("order_value"),
        "currency": F.when(is_track & event.isin(*_WITH_VALUE), F.coalesce(F.col("currency"), default)),
        "lines": F.when(is_track, commerce.lines(products)),
        "consent": _consent(config),
        "page_url": privacy.bare_url(F.col("sent_page_url")),
        "query": F.when(event.isin(*_WITH_QUERY), privacy.without_email(F.col("sent_query"))),
    }


def _consent(config: Config) -> Column:
    """What the event says of consent, with the time it was said; null = nobody was asked."""
    purposes = consent.consented(F.col("preferences"), config.consent.categories)
    said = F.struct(F.col("occurred_at"), F.col("message_id"), *purposes.values())
    return F.when(F.size("preferences") > 0, said.cast(CONSENT))


def _with_sender(judged: DataFrame, config: Config) -> DataFrame:
    """Adds who sent it, and what follows from it: personal texts hidden, crawlers known, nobody's events rejected."""
    known = with_sender(judged, config, texts=_TEXTS)
    sender, texts = F.col("sender"), F.col("sender.texts")
    shown = {
        field: F.when(texts.isNull(), F.col(field)).otherwise(F.get(texts, F.lit(i))) for i, field in enumerate(_TEXTS)
    }
    is_order = F.col("is_track") & (F.col("event_name") == contracts.ORDER_COMPLETED.name)
    hidden_event = F.when(F.col("is_track"), shown["event_name"]).when(F.col("event").isNotNull(), shown["page_name"])
    nobody = F.when(F.size(sender["identifiers"]) == 0, fault(R.NO_USABLE_IDENTIFIER))
    return known.withColumns(
        {
            **shown,
            **{name: sender[name] for name in ("identifiers", "actor_id", *SHOWN)},
            "event": hidden_event,
            "is_bot": bots.is_bot(sender["agent"], F.col("channel"), F.col("library"), is_order),
            "verdict": F.coalesce(F.col("verdict"), nobody),
            "source": F.coalesce("library", "channel"),
            "faults": verdict.together(["faults", "sender.faults"]),
        }
    )
