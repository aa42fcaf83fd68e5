"""Which identifiers an event carries: found, normalised, blocked values dropped, personal ones turned into tokens.

Normalised: spaces trimmed; e-mail without any white space and in lower case; phone by lakehouse/events/phone.py. E-mail
and phone are always tokens, and so is any other identifier that holds an `@`: people put e-mail addresses everywhere.
`resolve` is the same for one value in Python.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import phone, schema
from lakehouse.events.tokens import hidden, token, token_of

# (identifier type, field of schema.TEXTS that holds one); other configured types come from context.externalIds only
FIELDS = (
    ("user_id", "user_id"),
    ("anonymous_id", "anonymous_id"),
    ("anonymous_id", "previous_id"),  # so that an alias event ties both ids together
    ("email", "email"),
    ("phone", "phone"),
    ("device_id", "device_id"),
    ("loyalty_id", "loyalty_id"),
)
IDENTIFIERS = "array<struct<type:string,token:string>>"
_NORMAL_FORMS = ("email", "phone")
_EMAIL = r"\A[^@]++@[^@]++\z"
_WHITE_SPACE = r"[ \t\n\x0b\f\r]++"
_NO_DIGIT = r"[^0-9]++"


def resolve(type_: str, value: str, config: Config) -> str | None:
    """The token (or plain value) that stands for an identifier in every table; None when it is blocked or malformed."""
    trimmed = value.strip(" ")
    if _is_blocked(trimmed, config):
        return None
    normal: str | None = trimmed
    if type_ == "email":
        normal = re.sub(_WHITE_SPACE, "", trimmed).lower()
        normal = normal if re.search(_EMAIL.replace(r"\z", r"\Z"), normal) else None
    elif type_ == "phone":
        number = phone.normalise(trimmed, phone.region(config.events.default_region))
        normal = None if _is_blocked(re.sub(_NO_DIGIT, "", trimmed), config) else number
    if normal is None:
        return None
    return token(config.privacy, type_, normal) if type_ == "phone" or "@" in normal else normal


def _is_blocked(trimmed: str, config: Config) -> bool:
    low = trimmed.lower()
    pattern = config.identity.blocked_pattern
    return low == "" or low in config.identity.blocked_values or bool(re.search(pattern, low, re.ASCII))


def bundle(config: Config) -> Column:
    """Every usable identifier of the message, distinct and sorted by type, then token; empty when there is none.

    Reads columns `sent_<field>` of FIELDS and external_ids. Type: IDENTIFIERS.
    """
    rules = config.identity.rules
    known = [_one(type_, F.col(f"sent_{field}"), config) for type_, field in FIELDS if type_ in rules]
    return F.sort_array(F.array_distinct(F.concat(*known, F.coalesce("external_ids", _none()))))


def external_ids(config: Config) -> Column:
    """Usable identifiers of context.externalIds, of configured types; null = none sent. Reads `document`."""
    types = sorted(config.identity.rules)
    sent = schema.array_at("context.externalIds", "struct<type:string,id:string>")
    tokens = F.transform(sent, lambda entry: _entry(entry["type"], _any_token(entry, types, config)))
    return F.filter(tokens, lambda entry: entry["token"].isNotNull())


def _any_token(entry: Column, types: list[str], config: Config) -> Column:
    value = F.trim(entry["id"])
    cases = [F.when(entry["type"] == type_, _token(type_, value, config)) for type_ in types if type_ in _NORMAL_FORMS]
    plain = hidden(config.privacy, entry["type"], value)
    others = F.when(entry["type"].isin(*types) & is_usable(value, config), plain)
    return F.coalesce(*cases, F.when(~entry["type"].isin(*_NORMAL_FORMS), others))


def _one(type_: str, trimmed: Column, config: Config) -> Column:
    """Array of the one identifier, or of none."""
    found = _token(type_, trimmed, config)
    return F.when(found.isNotNull(), F.array(_entry(F.lit(type_), found))).otherwise(_none())


def _entry(type_: Column, token_: Column) -> Column:
    return F.struct(type_.alias("type"), token_.alias("token"))


def _none() -> Column:
    return F.array().cast(IDENTIFIERS)


def _token(type_: str, trimmed: Column, config: Config) -> Column:
    """`resolve` as a column, of a value without spaces around it. Null: absent, blocked or malformed."""
    usable = is_usable(trimmed, config)
    if type_ == "email":
        email = F.lower(F.regexp_replace(trimmed, _WHITE_SPACE, ""))
        return F.when(usable & email.rlike(_EMAIL), token_of(config.privacy, F.lit(type_), email))
    if type_ == "phone":
        number = phone.normalised(trimmed, phone.region(config.events.default_region))
        usable = usable & is_usable(F.regexp_replace(trimmed, _NO_DIGIT, ""), config)
        return F.when(usable, token_of(config.privacy, F.lit(type_), number))
    return F.when(usable, hidden(config.privacy, F.lit(type_), trimmed))


def is_usable(trimmed: Column, config: Config) -> Column:
    """Whether the value may identify somebody: not blank, not blocked. Null stays null.

    `(?d)`: a line ends where Python's regular expressions say so, at a line feed alone.
    """
    low = F.lower(trimmed)
    return ~(low.isin("", *config.identity.blocked_values) | low.rlike(f"(?d){config.identity.blocked_pattern}"))


def actor_id(identifiers: Column) -> Column:
    """The actor: 32 hex digits of SHA-256 over the sorted bundle as JSON, which no two bundles share."""
    return F.substring(F.sha2(F.to_json(identifiers).cast("binary"), 256), 1, 32)
