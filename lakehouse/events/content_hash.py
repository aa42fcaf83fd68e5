"""What tells a repeat of a message from another message under its id."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_SCALAR = r'(?:"[^"\\]{0,100}+"|[^,{}\[\]\s"]{1,100}+)'
_TRANSPORT = rf'"(?:sentAt|receivedAt|sent_at|received_at|request_?[iI][pP]|ip|retryCount|writeKey)"\s*+:\s*+{_SCALAR}'


def content_hash(value: Column) -> Column:
    """Hash of the value without what only its transport says: a message that is sent again is the same message.

    Among it is the address it came from, and how often analytics.js tried before. Nested fields of these names are left out, too; no
    sender would tell two messages apart by them. What begins with a byte 0 is no text but the record of a registered schema: all of it counts, for
    as text bytes that differ would read alike.
    """
    is_binary = F.substring(value, 1, 1) == F.lit(b"\x00")
    of_text = F.xxhash64(F.regexp_replace(value.cast("string"), rf",\s*+{_TRANSPORT}|{_TRANSPORT}\s*+,", ""))
    return F.when(is_binary, F.xxhash64(value)).otherwise(of_text)
