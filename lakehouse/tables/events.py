"""Contracts of the event tables: bronze.events, silver.events, silver.event_faults, silver.events_quarantine, silver.quarantine_replays."""

from lakehouse.tables.contract import (
    AGENT,
    CONSENT,
    CONSENT_BASIS,
    KAFKA,
    LOCATION,
    MONEY,
    PRODUCT_LINE,
    TRAFFIC,
    Table,
    optional,
    required,
    write_time,
)
from lakehouse.tables.expectation import Expectation, Volume, not_null
from lakehouse.tables.people import RECORD, By, by

_LINEAGE = (
    required("topic", "string", "Kafka topic"),
    required("partition", "int", "Kafka partition"),
    required("offset", "bigint", "Kafka offset"),
)

_IS_ORDER = "event = 'Order Completed'"

BRONZE_EVENTS = Table(
    name="bronze.events",
    grain="one row per Kafka record, as it came",
    people=(RECORD,),
    ages=("ingested_at", "bronze_days"),
    key=("topic", "partition", "offset"),
    holds_personal_data=True,
    owner="streaming/bronze_events.py",
    reads=(KAFKA,),
    columns=(
        *_LINEAGE,
        optional("kafka_timestamp", "timestamp", "time the broker or producer stamped on the record"),
        optional("key", "binary", "record key; null = none"),
        optional("value", "binary", "record value; null = tombstone"),
        write_time("ingested_at", "time of the micro-batch that wrote the row"),
    ),
)

SILVER_EVENTS = Table(
    name="silver.events",
    grain="one row per accepted event, once",
    people=(by("message_id", By.MESSAGE), by("actor_id", By.ACTOR)),
    ages=("occurred_at", "events_days"),
    key=("message_id",),
    owner="streaming/events.py",
    reads=(KAFKA,),
    columns=(
        required("message_id", "string", "id the sender gave the event"),
        required("actor_id", "string", "hash of the exact bundle of identifiers the event carries"),
        required("type", "string", "track, identify, page, screen, group or alias"),
        optional(
            "event",
            "string",
            "name of a track event, in our spelling where it has one; of a page or of a screen; null otherwise",
        ),
        required("occurred_at", "timestamp", "client time corrected for clock skew, never after arrival"),
        required("received_at", "timestamp", "time the event reached us"),
        optional("anonymous_id", "string", "anonymousId; null = none, or a placeholder"),
        optional(
            "user_id",
            "string",
            "userId; a token when it is an address or a telephone number; null = none, or a placeholder",
        ),
        optional("product_id", "string", "product the event is about; null = none or several"),
        optional("order_id", "string", "order of an order event; null otherwise"),
        optional(
            "revenue",
            MONEY,
            "order value of Order Completed, and of Order Updated where it says one; amount of Order Refunded, null = by its lines, or the whole order",
        ),
        optional("currency", "string", "ISO 4217 code of revenue; null = that of the order"),
        optional("session_id", "string", "session; null = none"),
        optional("lines", f"array<{PRODUCT_LINE}>", "order or cart lines; null = none sent"),
        required(
            "identifiers", "array<struct<type:string,token:string>>", "usable identifiers, typed and tokenised, sorted"
        ),
        optional(
            "consent",
            CONSENT,
            "what the event says of consent, in the shape of any tool that lakehouse/events/consent.py reads; null = nobody was asked",
        ),
        optional("group_id", "string", "groupId of a group event"),
        optional("previous_id", "string", "previousId of an alias event"),
        optional("page_url", "string", "context.page.url or properties.url, without its query string"),
        optional("query", "string", "search text of Products Searched"),
        optional("coupon", "string", "coupon code of an order or coupon event"),
        optional("campaign", "string", "context.campaign.name"),
        optional("channel", "string", "channel or context.channel as sent: web, mobile, server, store, call_center"),
        required(
            "is_bot", "boolean", "sent by a crawler or another program, no order; such events never reach profiles"
        ),
        required("is_clamped", "boolean", "corrected time lay ahead of arrival and was set to arrival"),
        required(
            "content_hash",
            "bigint",
            "hash of the record without what its transport says; tells a repeat from a conflict",
        ),
        *_LINEAGE,
        optional(
            "properties",
            "string",
            "properties as sent, one JSON object; a token stands for what is personal; null = none, or of a release before it was kept",
        ),
        optional("context", "string", "context, likewise"),
        optional(
            "visitor_id",
            "string",
            "browser or device: the anonymous_id; else `<type>:<token>` of another identifier; null = no visit, or of a release before it was told",
        ),
        optional("traffic", TRAFFIC, "how the visitor came, of an event that tells of an arrival; null = it does not"),
        optional("agent", AGENT, "the device, by its user agent; null = none sent"),
        optional(
            "location",
            LOCATION,
            "ISO 3166 country and region of context.ip; null = not known, or no database is configured",
        ),
        optional(
            "consent_basis",
            CONSENT_BASIS,
            "in which form consent was told (categories, consent_management, tcf, gpc, unsubscribed), for which jurisdiction, by which texts and program, and words on "
            "declared purposes that `consent` has no field for; null = nobody was asked, or of a release before it was kept",
        ),
    ),
    expectations=(
        Expectation(name="clocks_are_right", text="no sender ahead of time", breaks="is_clamped", most=0.05),
        Expectation(name="people_send_them", text="events of people", breaks="is_bot", most=0.5),
        Expectation(
            name="products_are_named",
            text="a product in every view and cart",
            concerns="event IN ('Product Viewed', 'Product Added')",
            breaks="product_id IS NULL AND lines IS NULL",
            most=0.05,
        ),
        not_null("revenue", concerns=_IS_ORDER, most=0.05),
        Expectation(
            name="orders_are_worth_something",
            text="orders of more than nothing",
            concerns=f"{_IS_ORDER} AND revenue IS NOT NULL",
            breaks="revenue <= 0",
            most=0.2,
        ),
    ),
    volume=Volume(),
)

SILVER_EVENT_FAULTS = Table(
    name="silver.event_faults",
    grain="one row per accepted event and field of it that could not be read, or that breaks the tracking plan",
    people=(by("message_id", By.MESSAGE),),
    ages=("told_at", "events_days"),
    key=("topic", "partition", "offset", "field", "reason"),
    owner="streaming/events.py",
    reads=(KAFKA,),
    columns=(
        *_LINEAGE,
        required(
            "field",
            "string",
            "where in the message; the field is empty in silver.events, unless the reason is breaks_plan",
        ),
        required("reason", "string", "code, see lakehouse/events/reasons.py"),
        required("expected", "string", "what was expected there; never a value that was sent"),
        required("message_id", "string", "event in silver.events"),
        optional("event", "string", "its name, as in silver.events"),
        optional("source", "string", "program that sent it: context.library.name, else the channel"),
        write_time("told_at", "time of the micro-batch that wrote the row"),
    ),
)

SILVER_EVENTS_QUARANTINE = Table(
    name="silver.events_quarantine",
    grain="one row per rejected record",
    people=(RECORD,),
    ages=("quarantined_at", "quarantine_days"),
    key=("topic", "partition", "offset"),
    holds_personal_data=True,
    owner="streaming/events.py",
    reads=(KAFKA,),
    columns=(
        *_LINEAGE,
        required("reason", "string", "code, see lakehouse/events/reasons.py"),
        optional("detail", "string", "which field, what was expected; never a personal value"),
        optional("value", "binary", "the record as it came"),
        write_time("quarantined_at", "time of the micro-batch that wrote the row"),
    ),
)

SILVER_QUARANTINE_REPLAYS = Table(
    name="silver.quarantine_replays",
    grain="one row per rejected record that was read again, and that is an event by now or waits in the topic to be one",
    people=(by("message_id", By.MESSAGE), RECORD),
    ages=("replayed_at", "quarantine_days"),
    key=SILVER_EVENTS_QUARANTINE.key,
    owner="lakehouse/commands/quarantine.py",
    reads=("silver.events_quarantine", "bronze.events", "silver.events"),
    columns=(
        *_LINEAGE,
        optional("message_id", "string", "the event it became, in silver.events; null = a fact of no person"),
        required("outcome", "string", "sent: to the topic again; there: it had come by another way already"),
        required("replayed_at", "timestamp", "time of the replay"),
    ),
)
