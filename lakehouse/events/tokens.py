"""Tokens: what stands for a personal value in every table. HMAC-SHA-256 of `<type>:<value>`.

RFC 2104. The same key, type and value give the same token, so tokens join; without the key a token cannot be tested against a list
of guesses. 128 of the 256 bits are kept. As a column a token is made in Python: a key that stood in a plan would stand in every
log of a query that failed.
"""

import hashlib
import hmac
import re

import pyarrow as pa
from pyspark.sql import Column

from lakehouse.config import PrivacyConfig
from lakehouse.events.privacy import AT
from lakehouse.spark.arrow_function import arrow_function

HEX_DIGITS = 32
# An address, that of a URL included; a telephone number as people write it. Bare digits are more likely a number that somebody was given.
PERSONAL = AT + r"|%40|\A(?:[tT][eE][lL]:[+(]?|[+(])[0-9 ()./-]{6,30}\z|\A0[0-9]{1,5}[ /-][0-9 /-]{4,20}\z"
_PERSONAL = re.compile(PERSONAL.replace(r"\z", r"\Z"))


def token(privacy: PrivacyConfig, type_: str, normalised: str) -> str:
    """`<key id>:<32 hex digits>` of one normalised value."""
    message = f"{type_}:{normalised}".encode()
    digest = hmac.digest(privacy.hmac_key.encode(), message, hashlib.sha256)
    return f"{privacy.hmac_key_id}:{digest.hex()[:HEX_DIGITS]}"


def token_of(privacy: PrivacyConfig, type_: str, normalised: Column) -> Column:
    """The same as a column; null stays null."""

    def tokens(values: pa.Array) -> pa.Array:
        return pa.array(
            [None if value is None else token(privacy, type_, value) for value in values.to_pylist()], pa.string()
        )

    return arrow_function(tokens, "string")(normalised)


def is_personal(text: str) -> bool:
    """Whether a text is, or holds, an address, or is a telephone number."""
    return _PERSONAL.search(text) is not None


def hidden(privacy: PrivacyConfig, type_: str, text: str) -> str:
    """The text, or its token when it is personal."""
    return token(privacy, type_, text) if is_personal(text) else text
