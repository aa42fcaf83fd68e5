"""A request's body as its model. What is JSON is read at once; what is not quite is read as the collector reads it.

So half a character cut off in a product's title, a byte order mark before the body, UTF-16 or a compressed body cost nobody the answer.
"""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from lakehouse.errors import StitchlakeError
from lakehouse.events.document import mended
from serving.messages.limits import is_too_deep
from serving.messages.plain_body import plain
from serving.messages.sent_json import Unreadable, decoded

_MOST_DEPTH = 32
R = TypeVar("R", bound=BaseModel)


class TooDeep(StitchlakeError):
    """A body of more levels than may be."""


def read(model: type[R], body: bytes, content_type: str, most_bytes: int) -> R:
    """The request.

    Raises:
        ValidationError: it is none; says where and why.
        TooDeep: it nests more than 32 levels.
        Damaged, Inflated: see plain_body.
    """
    _check(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
            raise
        text = plain(body, content_type, most_bytes)
        _check(text)
        try:
            sent = decoded(text).whole()
        except Unreadable:
            raise error from None
    return model.model_validate(mended(sent.value))


def _check(body: bytes) -> None:
    if is_too_deep(body, _MOST_DEPTH):
        raise TooDeep(f"body: more than {_MOST_DEPTH} levels of nesting, expected at most that many")
