"""Contract of the consent ledger."""

from lakehouse.tables.contract import Table, optional, required
from lakehouse.tables.people import By, by

NO_PURPOSE = "*"
"""Of a statement that names no declared purpose: somebody was asked, and what they said allows nothing."""
GRANTED, DENIED, UNSAID = "granted", "denied", "unsaid"

SILVER_CONSENT = Table(
    name="silver.consent",
    grain="one row per statement of consent and purpose it names",
    key=("actor_id", "message_id", "purpose"),
    owner="streaming/events.py",
    reads=("silver.events",),
    people=(by("actor_id", By.ACTOR),),
    columns=(
        required("actor_id", "string", "actor that said so"),
        required("message_id", "string", "event that said so, in silver.events"),
        required(
            "purpose",
            "string",
            "purpose of consent.purposes; * = of none: somebody was asked, and named no declared one",
        ),
        required("said_at", "timestamp", "occurred_at of the event"),
        required("status", "string", "granted or denied; unsaid where the purpose is *"),
        optional(
            "source",
            "string",
            "categories, consent_management, tcf, gpc for the signal of a browser, or unsubscribed; null = told by a release before it was kept",
        ),
        optional(
            "jurisdiction",
            "string",
            "ISO 3166: as the event says, else the region or country of its IP address; null = not known",
        ),
        optional("text_version", "string", "which texts the person was shown; null = not said"),
        optional(
            "told_by", "string", "program that sent it: library of the context, else the channel; null = not said"
        ),
    ),
)
