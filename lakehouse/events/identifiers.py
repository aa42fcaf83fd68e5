"""Which identifiers an event carries: found, normalised, blocked values dropped, personal ones turned into tokens.

Normalised: spaces trimmed; e-mail by lakehouse/events/emails.py; phone by lakehouse/events/phone.py. Blocked:
lakehouse/events/blocked_values.py; e-mail and phone are compared in their one form, a phone as the bare digits it was sent in,
too. E-mail and phone are always tokens, and so is any other identifier that holds an `@`: people put e-mail addresses
everywhere. `resolve` is the same for one value in Python.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import emails, phone, schema
from lakehouse.events.binding import bound
from lakehouse.events.blocked_values import Blocked, blocked
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
_NO_DIGIT = r"[^0-9]++"


def resolve(
    type_: str, value: str, config: Config, country: str | None = None, *, junk: Blocked | None = None
) -> str | None:
    """The token (or plain value) that stands for an identifier in every table; None when it is blocked or malformed.

    `country`: ISO 3166 region of the person's address; a phone number without country code is national to it. `junk`: what
    is blocked of the type, for those who resolve many; None = looked up.
    """
    trimmed = value.strip(" ")
    junk = blocked(type_, config.identity) if junk is None else junk
    normal: str | None = trimmed
    if type_ == "email":
        normal = emails.normalise(trimmed, config.identity.email_tags)
    elif type_ == "phone":
        is_junk = junk.holds(re.sub(_NO_DIGIT, "", trimmed))
        normal = None if is_junk else phone.normalise(trimmed, phone.region(config.events.default_region), country)
    if normal is None or junk.holds(normal):
        return None
    return token(config.privacy, type_, normal) if type_ == "phone" or "@" in normal else normal


def bundle(config: Config, country: Column | None = None) -> Column:
    """Every usable identifier of the message, distinct and sorted by type, then token; empty when there is none.

    Reads columns `sent_<field>` of FIELDS and external_ids; `country` as in `resolve`. Type: IDENTIFIERS.
    """
    rules = config.identity.rules
    known = [_one(type_, F.col(f"sent_{field}"), config, country) for type_, field in FIELDS if type_ in rules]
    return F.sort_array(F.array_distinct(F.concat(*known, F.coalesce("external_ids", _none()))))


def external_ids(config: Config, country: Column | None = None) -> Column:
    """Usable identifiers of context.externalIds, of configured types; null = none sent. Reads `document`."""
    sent = schema.array_at("context.externalIds", "struct<type:string,id:string>")
    tokens = F.transform(sent, lambda entry: _entry(entry["type"], _any_token(entry, config, country)))
    return F.filter(tokens, lambda entry: entry["token"].isNotNull())


def _any_token(entry: Column, config: Config, country: Column | None) -> Column:
    """The rules are written once for all types that have none of their own."""
    value, types = F.trim(entry["id"]), sorted(config.identity.rules)
    common = blocked("", config.identity)
    special = [type_ for type_ in types if type_ in _NORMAL_FORMS or blocked(type_, config.identity) != common]
    cases = [F.when(entry["type"] == type_, _token(type_, value, config, country)) for type_ in special]
    plain = [type_ for type_ in types if type_ not in special]
    hidden_ = hidden(config.privacy, entry["type"], value)
    return F.coalesce(*cases, F.when(entry["type"].isin(*plain) & common.misses(value), hidden_))


def _one(type_: str, trimmed: Column, config: Config, country: Column | None) -> Column:
    """Array of the one identifier, or of none."""
    if type_ in _NORMAL_FORMS:
        entries = F.array(_entry(F.lit(type_), _token(type_, trimmed, config, country)))
        usable = F.filter(entries, lambda entry: entry["token"].isNotNull())
        return F.when(trimmed.isNotNull(), usable).otherwise(_none())
    own_token = _token(type_, trimmed, config, country)
    return F.when(own_token.isNotNull(), F.array(_entry(F.lit(type_), own_token))).otherwise(_none())


def _entry(type_: Column, token_: Column) -> Column:
    return F.struct(type_.alias("type"), token_.alias("token"))


def _none() -> Column:
    return F.array().cast(IDENTIFIERS)


def _token(type_: str, trimmed: Column, config: Config, country: Column | None) -> Column:
    """`resolve` as a column, of a value without spaces around it. Null: absent, blocked or malformed."""
    junk = blocked(type_, config.identity)
    if type_ not in _NORMAL_FORMS:
        return F.when(junk.misses(trimmed), hidden(config.privacy, F.lit(type_), trimmed))
    if type_ == "email":
        normal = emails.normalised(trimmed, config.identity.email_tags)
    else:
        usable = junk.misses(F.regexp_replace(trimmed, _NO_DIGIT, ""))
        number = phone.normalised(trimmed, phone.region(config.events.default_region), country)
        normal = F.when(usable, number)
    return bound(normal, lambda one: F.when(junk.misses(one), token_of(config.privacy, F.lit(type_), one)))


def actor_id(identifiers: Column) -> Column:
    """The actor: 32 hex digits of SHA-256 over the sorted bundle as JSON, which no two bundles share."""
    return F.substring(F.sha2(F.to_json(identifiers).cast("binary"), 256), 1, 32)
