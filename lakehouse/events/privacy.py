"""What keeps personal data out of free text: web addresses and search texts. Identifiers: lakehouse/events/identifiers.py."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_QUERY = r"(?s)[?#].*+"


def bare_url(url: Column) -> Column:
    """The address without query string and fragment, and without any part of it that holds an `@`."""
    bare = F.regexp_replace(url, _QUERY, "")
    parts = F.transform(F.split(bare, "/"), lambda part: F.when(_holds_at(part), F.lit("-")).otherwise(part))
    return F.when(_holds_at(bare), F.array_join(parts, "/")).otherwise(bare)


def without_email(text: Column) -> Column:
    """The text; null when it looks like it holds an e-mail address."""
    return F.when(~_holds_at(text), text)


def without_address(text: Column) -> Column:
    """The text; null when an e-mail address stands in it. An `@` between spaces is none."""
    return F.when(~text.rlike(r"[^\s@]@[^\s@]"), text)


def _holds_at(text: Column) -> Column:
    return text.contains("@") | text.contains("%40")
