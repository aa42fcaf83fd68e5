"""Why a record is rejected: code -> meaning, in the order the rules are checked. A record carries the first it breaks."""

NULL_VALUE = "null_value"
OVERSIZED = "oversized"
INVALID_UTF8 = "invalid_utf8"
TOO_DEEP = "too_deep"
MALFORMED_JSON = "malformed_json"
DUPLICATE_KEYS = "duplicate_keys"
NOT_AN_OBJECT = "not_an_object"
WRONG_TYPE = "wrong_type"
MISSING_FIELD = "missing_field"
UNKNOWN_TYPE = "unknown_type"
VALUE_TOO_LONG = "value_too_long"
INVALID_TIMESTAMP = "invalid_timestamp"
TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
INVALID_NUMBER = "invalid_number"
NEGATIVE_AMOUNT = "negative_amount"
UNKNOWN_CURRENCY = "unknown_currency"
NO_USABLE_IDENTIFIER = "no_usable_identifier"
ID_CONFLICT = "id_conflict"

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
    UNKNOWN_TYPE: "type is not one of track, identify, page, screen, group, alias",
    VALUE_TOO_LONG: "an id is longer than 200 characters, or messageId than 100",
    INVALID_TIMESTAMP: "a timestamp is neither ISO 8601 nor epoch milliseconds",
    TIMESTAMP_OUT_OF_RANGE: "the corrected time lies before 1970 or too far ahead of arrival",
    INVALID_NUMBER: "an amount is not a number, or has more than 16 digits before the point",
    NEGATIVE_AMOUNT: "an amount or quantity is below zero",
    UNKNOWN_CURRENCY: "the currency is not an ISO 4217 code",
    NO_USABLE_IDENTIFIER: "no identifier is left once blocked values are dropped",
    ID_CONFLICT: "an earlier event has the same messageId and other content",
}
