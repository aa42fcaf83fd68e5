"""Why a record is rejected, or a field of an accepted one left empty: code -> meaning.

A record is rejected only for what makes it meaningless, and carries the first rule it breaks, in this order. Anything else that
cannot be read leaves its field empty and is told in silver.event_faults.
"""

NULL_VALUE = "null_value"
OVERSIZED = "oversized"
INVALID_UTF8 = "invalid_utf8"
TOO_DEEP = "too_deep"
MALFORMED_JSON = "malformed_json"
DUPLICATE_KEYS = "duplicate_keys"
NOT_AN_OBJECT = "not_an_object"
WRONG_TYPE = "wrong_type"
MISSING_FIELD = "missing_field"
UNMAPPED = "unmapped"
UNKNOWN_TYPE = "unknown_type"
VALUE_TOO_LONG = "value_too_long"
INVALID_TIMESTAMP = "invalid_timestamp"
TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
INVALID_NUMBER = "invalid_number"
NEGATIVE_AMOUNT = "negative_amount"
UNKNOWN_CURRENCY = "unknown_currency"
NO_USABLE_IDENTIFIER = "no_usable_identifier"
ID_CONFLICT = "id_conflict"
PLACEHOLDER = "placeholder"
UNREADABLE = "unreadable"
BROKEN_TEXT = "broken_text"
NOT_COUNTED = "not_counted"
RETURN_NOT_COUNTED = "return_not_counted"
BREAKS_PLAN = "breaks_plan"
UNEXPECTED = "unexpected"
FACT = "fact"  # of what is neither event nor rejected: see facts.py

REASONS: dict[str, str] = {
    NULL_VALUE: "the record has no value (a tombstone)",
    OVERSIZED: "the value is longer than events.max_bytes",
    INVALID_UTF8: "the value is not UTF-8 text",
    TOO_DEEP: "objects and arrays nest deeper than events.max_depth",
    MALFORMED_JSON: "the value is not one JSON document (NaN and Infinity are not JSON)",
    DUPLICATE_KEYS: "an object names the same key twice",
    NOT_AN_OBJECT: "the document is not a JSON object",
    WRONG_TYPE: "a field holds another kind of value than the contract says",
    MISSING_FIELD: "a field the event type needs is absent, null or blank",
    UNMAPPED: "the mapping of its source makes no event of it; the detail names the source, and what is missing",
    UNKNOWN_TYPE: "type is not one of track, identify, page, screen, group, alias",
    VALUE_TOO_LONG: "an id is longer than 200 characters, or messageId than 100",
    INVALID_TIMESTAMP: "a timestamp is neither ISO 8601 nor a number of seconds, milli-, micro- or nanoseconds",
    TIMESTAMP_OUT_OF_RANGE: "the corrected time lies before events.oldest or too far ahead of arrival",
    INVALID_NUMBER: "an amount is not a number, or larger than events.max_amount",
    NEGATIVE_AMOUNT: "an amount or quantity is below zero",
    UNKNOWN_CURRENCY: "the currency is not an ISO 4217 code",
    NO_USABLE_IDENTIFIER: "no identifier is left once blocked values are dropped",
    BREAKS_PLAN: "the event breaks its JSON Schema in conf/events.yaml, and its source is declared `block` there",
    ID_CONFLICT: "an earlier event has the same messageId and other content",
    UNEXPECTED: "the event breaks an expectation of silver.events whose action is quarantine",
}
# A field is left empty for one of the reasons above, or for one of these, for which no record is rejected.
FAULTS: dict[str, str] = {
    PLACEHOLDER: "what programs and people write for nothing stands where an id belongs",
    UNREADABLE: "an e-mail address or a telephone number cannot be read as one",
    BROKEN_TEXT: "half a character, as a length limit leaves it, was replaced",
    NOT_COUNTED: "the event speaks of an order, by its ids or its name, and its name is no order event's",
    BREAKS_PLAN: "the event breaks its JSON Schema in conf/events.yaml; the field is kept as it came",
    RETURN_NOT_COUNTED: "the event speaks of a refund or cancellation of an order, and its name is none of an order event's",
}
