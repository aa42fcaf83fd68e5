"""Record bytes -> one JSON document, or the reason why there is none. The record's bytes are parsed exactly once.

The text is parsed inside an array, `[<text>,<hash of the text>]`: Spark's parser stops after the first value, so a text
with anything behind its document (`{} junk`, `{}{}`) would pass; in the array it is an error, or the hash is not there.
No expression here recurses or backtracks over the text: the JSON parser refuses 1000 levels, and every regular
expression is a chain of possessive character classes.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.config import EventsConfig
from lakehouse.events import reasons as R
from lakehouse.lane.reading.verdict import fault, first

_ESCAPED = r"(?s)\\."
_STRING = r'"[^"]*+"'
_NO_BRACKET = r"[^\[\]{}]++"
_BYTE_ORDER_MARK = "\ufeff"
_SURROGATE = r"\\u[dD][89a-fA-F]"
# Half a character: a high surrogate without its low one behind it, or a low one without its high one before it. Its backslash is
# no escaped one: an even number of them stands before it.
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = rf"(?<=(?<!\\)(?:\\\\){{0,20}})(?:{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW})"
_REPLACEMENT = r"\\ufffd"


def text_of(value: Column, config: EventsConfig) -> Column:
    """The value as text, without a byte order mark; null when there is none, it is too long or it is not UTF-8."""
    text = value.cast("string")
    bare = F.when(text.startswith(_BYTE_ORDER_MARK), F.substring(text, 2, F.length(text))).otherwise(text)
    return F.when((F.octet_length(value) <= config.max_bytes) & F.is_valid_utf8(text), bare)


def seal(value: Column) -> Column:
    """A number that nobody who writes a record can foresee standing behind its document."""
    return F.xxhash64(value)


def mended(text: Column) -> Column:
    """Every half character replaced by U+FFFD; the whole ones are left as they are."""
    return F.when(text.rlike(_SURROGATE), F.regexp_replace(text, _HALF, _REPLACEMENT)).otherwise(text)


def document_of(text: Column, seal: Column) -> Column:
    """The variant `[message, seal]`; null when the text is not JSON."""
    return F.try_parse_json(_sealed(text, seal))


def _sealed(text: Column, seal: Column) -> Column:
    return F.concat(F.lit("["), text, F.lit(","), seal.cast("string"), F.lit("]"))


def is_too_deep(text: Column, config: EventsConfig) -> Column:
    """Whether brackets outside of strings nest deeper than max_depth; false for null.

    Few texts hold that many opening brackets at all; only those are counted exactly.
    """
    # More levels than that need more than half as many braces, or half as many brackets. Java splits at one escaped
    # character by a vectorised search; counting by a regular expression costs five times as much.
    half = config.max_depth // 2 + 1
    is_suspicious = (F.size(F.split(text, r"\{", half + 1)) > half) | (F.size(F.split(text, r"\[", half + 1)) > half)
    return F.coalesce(F.when(is_suspicious, depth(text) > config.max_depth), F.lit(False))


def depth(text: Column) -> Column:
    """Levels of nested objects and arrays: highest count of brackets open at once."""
    bare = F.regexp_replace(F.regexp_replace(text, _ESCAPED, ""), _STRING, "")
    brackets = F.split(F.regexp_replace(bare, _NO_BRACKET, ""), "")
    step = F.struct(F.lit(0).alias("open"), F.lit(0).alias("most"))

    def count(state: Column, bracket: Column) -> Column:
        change = F.when(bracket.isin("[", "{"), 1).when(bracket.isin("]", "}"), -1).otherwise(0)
        now = state["open"] + change
        return F.struct(now.alias("open"), F.greatest(state["most"], now).alias("most"))

    return F.aggregate(brackets, step, count, lambda state: state["most"])


def verdict(config: EventsConfig) -> Column:
    """First fault of the record as a document; null = one JSON object.

    Reads columns value, text, document, seal and message of the frame.
    """
    value, text, document = F.col("value"), F.col("text"), F.col("document")
    is_sealed = F.try_variant_get(document, "$[1]", "bigint") == F.col("seal")
    # Told apart only once parsing has failed: a parser that does not mind repeated keys takes the text.
    lenient = {"allowNonNumericNumbers": "false", "allowSingleQuotes": "false"}
    elements = F.from_json(_sealed(text, F.col("seal")), "array<string>", lenient)
    is_repeating = F.size(elements) == 2
    return first(
        (value.isNull(), fault(R.NULL_VALUE)),
        (F.octet_length(value) > config.max_bytes, fault(R.OVERSIZED, f"at most {config.max_bytes} bytes expected")),
        (text.isNull(), fault(R.INVALID_UTF8)),
        (is_too_deep(text, config), fault(R.TOO_DEEP, f"at most {config.max_depth} levels expected")),
        (document.isNull() & is_repeating, fault(R.DUPLICATE_KEYS)),
        (document.isNull(), fault(R.MALFORMED_JSON)),
        (~F.coalesce(is_sealed, F.lit(False)), fault(R.MALFORMED_JSON, "one document expected")),
        (F.col("message").isNull(), fault(R.NOT_AN_OBJECT)),
    )
