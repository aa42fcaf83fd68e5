"""What a request may say. Unknown fields are errors, so that a misspelt one is not silently without effect.

Null, blank text and an empty list are as good as left out, wherever a field may be: templates write them for what they do not
have, and PHP writes `[]` for an empty object.
"""

import difflib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from lakehouse.decisions.offers import Channel

JSON = dict[str, Any]
_NOTHING: list[JSON] = [{"type": "null"}, {"type": "string", "pattern": r"^\s*$"}, {"type": "array", "maxItems": 0}]


def _one_of(*names: str, examples: Sequence[JSON] = ()) -> ConfigDict:
    """Of a model that takes exactly one of these fields: said in its schema, too."""
    told: list[Any] = [
        {
            "required": [one],
            "properties": {
                name: {"anyOf": _NOTHING} if name != one else {"not": {"anyOf": _NOTHING}} for name in names
            },
        }
        for one in names
    ]
    return ConfigDict(json_schema_extra={"oneOf": told, "examples": list(examples)})


MOST_EVENTS = 20
MOST_ITEMS = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


_EXACT = 2**53  # beyond, a number with a point has lost digits


def _digits(sent: Any) -> Any:
    """Ids that are whole numbers, as Shopify's are, by their digits; also where a language wrote them with a point."""
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        return sent
    if isinstance(sent, float) and not (sent.is_integer() and abs(sent) < _EXACT):
        raise ValueError(f"got {sent}, expected text or a whole number. Quote it")
    return str(int(sent))


_Digits = BeforeValidator(_digits, json_schema_input_type=str | int)


def _no_boolean(sent: Any) -> Any:
    """Python takes true for 1; whoever sends it means no number."""
    if isinstance(sent, bool):
        raise ValueError(f"got {str(sent).lower()}, expected a number")
    return sent


_NoBoolean = BeforeValidator(_no_boolean)
Id = Annotated[str, _Digits, StringConstraints(min_length=1, max_length=200)]
MessageId = Annotated[str, _Digits, StringConstraints(min_length=1, max_length=100)]


class _Fields(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _without_what_is_left_out(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not any(map(_is_nothing, values.values())):
            return values
        fields = cls.model_fields
        return {
            name: value
            for name, value in values.items()
            if name not in fields or fields[name].is_required() or not _is_nothing(value)
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JSON:
        schema = handler(core_schema)
        told = handler.resolve_ref_schema(schema)
        for name, field in told.get("properties", {}).items():
            if name not in told.get("required", ()):
                told["properties"][name] = {"anyOf": [field, *_NOTHING]}
        return schema


def _is_nothing(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


class _Request(_Fields):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _names_the_nearest(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.keys() <= cls.model_fields.keys():
            unknown = [name for name in values if name not in cls.model_fields]
            nearest = difflib.get_close_matches(str(unknown[0]), cls.model_fields, n=1, cutoff=0.0)
            raise ValueError(f"unknown field '{unknown[0][:60]}'; did you mean '{nearest[0]}'?")
        return values


class Identifier(_Request):
    """A typed value: user_id, anonymous_id, email, phone, device_id, loyalty_id or another configured type."""

    type: Name
    value: Id


class Context(_Fields):
    """Where the visitor is. Further fields are kept in the decision's log."""

    model_config = ConfigDict(frozen=True, extra="allow")

    page_type: Name | None = None
    device: Name | None = None
    product_id: Id | None = None
    category: Name | None = None
    price: Annotated[float, Field(ge=0, le=1e12), _NoBoolean] | None = None
    session_id: Id | None = None
    channel: Channel = "web"

    @model_validator(mode="after")
    def _can_be_kept(self) -> "Context":
        for name, value in (self.model_extra or {}).items():
            try:
                orjson.dumps(value)
            except TypeError as error:  # the decision's log holds it
                raise ValueError(
                    f"{name[:60]}: {error}, expected numbers of at most 64 bits. Send it as text"
                ) from error
        return self

    def said(self) -> dict[str, Any]:
        """Everything but what was left out."""
        return {name: value for name, value in self if value is not None}


_NAMED: JSON = {"required": ["event"], "properties": {"event": {"type": "string", "pattern": r"\S"}}}
_NO_TRACK: JSON = {"required": ["type"], "properties": {"type": {"enum": ["page", "screen", "identify"]}}}


_LATEST = 253_402_300_799_999  # the last millisecond of the year 9999


def _is_moment(value: Any) -> Any:
    if isinstance(value, int | float) and (isinstance(value, bool) or not 0 <= value <= _LATEST):
        raise ValueError(f"got {value!r:.60}, expected ISO 8601, or seconds or milliseconds since 1970")
    return value


Moment = Annotated[
    datetime,
    BeforeValidator(_is_moment),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": _LATEST}]}
    ),
]


class NewEvent(_Fields):
    """An event of the visitor's that nobody has sent yet, in the Segment spec; identifiers are those of the request."""

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_extra={"anyOf": [_NAMED, _NO_TRACK]})

    type: Literal["track", "page", "screen", "identify"] = "track"
    event: Name | None = None
    name: Name | None = None
    messageId: MessageId | None = None
    timestamp: Moment | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}

    @model_validator(mode="after")
    def _track_names_its_event(self) -> "NewEvent":
        if self.type == "track" and self.event is None:
            raise ValueError("event: missing, a track event needs its name, such as 'Product Viewed'")
        return self


_WHOM = ("customer_id", "identifier")


class VisitorRequest(_Request):
    """About whom, where they are, and what nobody has sent of them yet. One of customer_id and identifier."""

    customer_id: Id | None = None
    identifier: Identifier | None = None
    segment: Name | None = None
    context: Context = Context()
    events: Annotated[tuple[NewEvent, ...], Field(max_length=MOST_EVENTS)] = ()
    explain: bool = False
    request_id: Id | None = None

    @model_validator(mode="after")
    def _is_about_somebody(self) -> "VisitorRequest":
        if (self.customer_id is None) == (self.identifier is None):
            got = "neither" if self.customer_id is None else "both"
            raise ValueError(f"customer_id, identifier: got {got}, expected one of the two")
        return self

    @property
    def typed_identifier(self) -> tuple[str, str]:
        """Type and value of the identifier."""
        if self.identifier is None:
            return "user_id", self.customer_id or ""
        return self.identifier.type, self.identifier.value


class RecommendationRequest(VisitorRequest):
    """What to show to somebody, here and now."""

    model_config = _one_of(
        *_WHOM,
        examples=[
            {
                "customer_id": "u-1001",
                "context": {"page_type": "product", "device": "mobile", "product_id": "kit-003"},
                "events": [{"event": "Product Viewed", "properties": {"product_id": "kit-003"}}],
                "count": 8,
            }
        ],
    )
    count: Annotated[int, Field(ge=1, le=MOST_ITEMS), _NoBoolean] = 10


class DecisionRequest(VisitorRequest):
    """What to offer to somebody, here and now. `offers`: choose among these only."""

    model_config = _one_of(
        *_WHOM,
        examples=[
            {
                "identifier": {"type": "anonymous_id", "value": "a-77"},
                "context": {"page_type": "cart", "device": "desktop", "channel": "web"},
            }
        ],
    )
    offers: Annotated[tuple[Name, ...], Field(max_length=MOST_ITEMS)] = ()


class ExposureRequest(_Request):
    """A decision was shown."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision_id": "5f0c1b2a9d8e7f60718293a4b5c6d7e8", "shown": "free_shipping"}]}
    )
    decision_id: Id
    shown: Name | None = None
    occurred_at: datetime | None = None


class OutcomeRequest(_Request):
    """What came of a decision: a click, an order, its value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"decision_id": "5f0c1b2a9d8e7f60718293a4b5c6d7e8", "metric": "converted", "value": 1}]
        }
    )
    decision_id: Id
    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "converted"
    value: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False), _NoBoolean] = 1.0
    occurred_at: datetime | None = None


class PageTokenRequest(_Request):
    """Whose decisions a page may listen to, and for how long it may begin to. One of identifier and session_id."""

    model_config = _one_of(
        *("identifier", "session_id"),
        examples=[{"identifier": {"type": "anonymous_id", "value": "a-77"}, "seconds": 300}],
    )
    identifier: Identifier | None = None
    session_id: Id | None = None
    seconds: Annotated[int, Field(ge=1, le=3600), _NoBoolean] = 300

    @model_validator(mode="after")
    def _is_about_one(self) -> "PageTokenRequest":
        if (self.session_id is None) == (self.identifier is None):
            got = "neither" if self.session_id is None else "both"
            raise ValueError(f"identifier, session_id: got {got}, expected one of the two")
        return self


class AvailabilityRequest(_Request):
    """Products that can, or cannot, be bought from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"product_ids": ["kit-003"], "is_available": False}]})
    product_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1000)]
    is_available: bool


class SuppressionRequest(_Request):
    """Somebody about whom nothing is decided any more, or is again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"identifier": {"type": "email", "value": "kim@example.com"}, "is_suppressed": True}]
        }
    )
    identifier: Identifier
    is_suppressed: bool = True
