"""Tokens: what stands for a personal value in every table. HMAC-SHA-256 of `<type>:<value>`, in Python and in Spark SQL.

RFC 2104: HMAC(K, m) = H((K xor opad) || H((K xor ipad) || m)). The same key, type and value give the same token, so
tokens join; without the key a token cannot be tested against a list of guesses. 128 of the 256 bits are kept.
"""

import hashlib
import hmac

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig

_BLOCK = 64  # bytes; block size of SHA-256
HEX_DIGITS = 32


def token(privacy: PrivacyConfig, type_: str, normalised: str) -> str:
    """`<key id>:<32 hex digits>` of one normalised value."""
    message = f"{type_}:{normalised}".encode()
    digest = hmac.new(privacy.hmac_key.encode(), message, hashlib.sha256).hexdigest()
    return f"{privacy.hmac_key_id}:{digest[:HEX_DIGITS]}"


def token_of(privacy: PrivacyConfig, type_: Column, normalised: Column) -> Column:
    """The same as a column; null stays null."""
    key = privacy.hmac_key.encode()
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner_key, outer_key = (F.lit(bytearray(b ^ pad for b in padded)) for pad in (0x36, 0x5C))
    message = F.concat(type_, F.lit(":"), normalised).cast("binary")
    inner = F.unhex(F.sha2(F.concat(inner_key, message), 256))
    digest = F.sha2(F.concat(outer_key, inner), 256)
    return F.concat(F.lit(f"{privacy.hmac_key_id}:"), F.substring(digest, 1, HEX_DIGITS))


def hidden(privacy: PrivacyConfig, type_: Column, text: Column) -> Column:
    """The text, or its token when it holds an `@`."""
    return F.when(text.contains("@"), token_of(privacy, type_, text)).otherwise(text)
