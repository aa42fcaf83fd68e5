"""Which identifiers an event carries: found, normalised, blocked values dropped, personal ones turned into tokens.

Normalised: spaces trimmed; e-mail without any white space and in lower case; phone by lakehouse/events/phone.py. E-mail
and phone are always tokens, and so is any other identifier that holds an `@`: people put e-mail addresses everywhere.
`resolve` is the same for one value in Python.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import phone
from lakehouse.events.tokens import token, token_of

IDENTIFIERS = "array<struct<type:string,token:string>>"
# identifier type -> fields of lakehouse/events/schema.py that hold one; configured types without a field come from
# context.externalIds only
FIELDS: tuple[tuple[str, str], ...] = (
    ("user_id", "user_id"),
    ("anonymous_id", "anonymous_id"),
    ("anonymous_id", "previous_id"),  # so that an alias event ties both ids together
    ("email", "email"),
    ("phone", "phone"),
    ("device_id", "device_id"),
    ("loyalty_id", "loyalty_id"),
)
_EMAIL = r"\A[^@]++@[^@]++\z"
_WHITE_SPACE = r"[ \t\n\x0b\f\r]++"
_NO_DIGIT = r"[^0-9]++"


def resolve(type_: str, value: str, config: Config) -> str | None:
    """The token (or plain value) that stands for an identifier in every table; None when it is blocked or malformed."""
    trimmed = value.strip(" ")
    if _is_blocked(trimmed, config) or (type_ == "phone" and _is_blocked(re.sub(_NO_DIGIT, "", trimmed), config)):
        return None
    if type_ == "email":
        normal = re.sub(_WHITE_SPACE, "", trimmed).lower()
        return token(config.privacy, type_, normal) if re.fullmatch(r"[^@]+@[^@]+", normal) else None
    if type_ == "phone":
        number = phone.normalise(trimmed, phone.region(config.events.default_region))
        return None if number is None else token(config.privacy, type_, number)
    return token(config.privacy, type_, trimmed) if "@" in trimmed else trimmed


def _is_blocked(trimmed: str, config: Config) -> bool:
    low = trimmed.lower()
    pattern = config.identity.blocked_pattern
    return low == "" or low in config.identity.blocked_values or bool(re.search(pattern, low, re.ASCII))


def resolved(type_: str, trimmed: Column, config: Config) -> Column:
    """`resolve` as a column, of a value without spaces around it. Null: absent, blocked or malformed."""
    usable = is_usable(trimmed, config)
    if type_ == "email":
        normal = F.lower(F.regexp_replace(trimmed, _WHITE_SPACE, ""))
        return F.when(usable & normal.rlike(_EMAIL), token_of(config.privacy, type_, normal))
    if type_ == "phone":
        number = phone.normalised(trimmed, phone.region(config.events.default_region))
        usable = usable & is_usable(F.regexp_replace(trimmed, _NO_DIGIT, ""), config)
        return F.when(usable, token_of(config.privacy, type_, number))
    return F.when(usable, hidden(type_, trimmed, config))


def hidden(type_: str, text: Column, config: Config) -> Column:
    """The text, or its token when it holds an `@`."""
    return F.when(text.contains("@"), token_of(config.privacy, type_, text)).otherwise(text)


def is_usable(trimmed: Column, config: Config) -> Column:
    """Whether the value may identify somebody: not blank, not blocked. Null stays null."""
    low = F.lower(trimmed)
    return (low != "") & ~low.isin(*config.identity.blocked_values) & ~low.rlike(config.identity.blocked_pattern)


def bundle(external_ids: Column, config: Config) -> Column:
    """Every usable identifier of the event, distinct and sorted by type, then token; empty when there is none.

    Reads the text columns of FIELDS. Type: IDENTIFIERS.
    """
    rules = config.identity.rules
    known = [_entry(type_, resolved(type_, F.col(field), config)) for type_, field in FIELDS if type_ in rules]

    def external(entry: Column) -> Column:
        value = F.trim(entry["id"])
        tokens = [F.when(entry["type"] == type_, resolved(type_, value, config)) for type_ in rules]
        return F.struct(entry["type"].alias("type"), F.coalesce(*tokens).alias("token"))

    others = F.filter(F.transform(external_ids, external), lambda entry: entry["token"].isNotNull())
    found = F.array_compact(F.array(*known))
    return F.sort_array(F.array_distinct(F.when(others.isNull(), found).otherwise(F.concat(found, others))))


def _entry(type_: str, token_column: Column) -> Column:
    """struct<type,token>; null when there is no token."""
    entry = F.struct(F.lit(type_).alias("type"), token_column.alias("token"))
    return F.when(token_column.isNotNull(), entry)


def actor_id(identifiers: Column) -> Column:
    """The actor: 32 hex digits of SHA-256 over the sorted bundle as JSON, which no two bundles share."""
    return F.substring(F.sha2(F.to_json(identifiers).cast("binary"), 256), 1, 32)
