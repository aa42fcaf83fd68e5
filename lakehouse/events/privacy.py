"""What keeps personal data out of free text: web addresses and search texts. Identifiers: lakehouse/events/identifiers.py."""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

AT = r"[@\ufe6b\uff20]"  # as Asian keyboards write it, too
_ADDRESS = rf"[^\s@]{AT}[^\s@]"
_QUERY = re.compile(r"[?#].*+", re.DOTALL)


def bare_url(url: str) -> str:
    """The address without query string and fragment, and without any part of it that holds an `@`."""
    bare = _QUERY.sub("", url)
    return "/".join("-" if holds_at(part) else part for part in bare.split("/")) if holds_at(bare) else bare


def holds_at(text: str) -> bool:
    """Whether it looks like an e-mail address stands in it: an `@`, as addresses of the web or Asian keyboards write it, too."""
    return "@" in text or "%40" in text or (not text.isascii() and ("\uff20" in text or "\ufe6b" in text))


def holds_address(text: str) -> bool:
    """Whether an e-mail address stands in it. An `@` between spaces is none."""
    return re.search(_ADDRESS, text) is not None


def without_address(text: Column) -> Column:
    """The text; null where `holds_address`."""
    return F.when(~text.rlike(_ADDRESS), text)
