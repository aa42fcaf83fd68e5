"""`webhook` of a source: how its records are told from anybody else's when a shop sends them itself, to POST /webhooks/<source>."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lakehouse.config.declarations import Declared, Duration

_FIVE_MINUTES = 300_000


def _pattern(text: str) -> str:
    if "*" in text[:-1]:
        raise ValueError(f"got '{text}', expected a word, or its beginning and a star, such as orders/*")
    return text


Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")]
Secret = Annotated[str, Field(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_pattern)]


class Signature(Declared):
    """An HMAC by which a sender shows that it knows the secret. header: where it stands; prefix: what stands before it.

    signs: body = the body alone. time_and_body = as Stripe does: the header is `t=<seconds>,v1=<HMAC>`, of the seconds, a point and the
    body; one that is `tolerance` old, or lies as far ahead, is no good any more.
    """

    header: Header
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["base64", "hex"]
    prefix: str = ""
    signs: Literal["body", "time_and_body"] = "body"
    tolerance: Duration = _FIVE_MINUTES


class Webhook(Declared):
    """Whom to believe, and what is kept beside the body.

    secrets: ${NAME} of the environment; each that is set holds, so that a new one can come before the old one goes. is_unsigned:
    nothing is signed, and only who calls from this machine is taken. headers: kept with the record in Kafka. takes: header -> the values
    that are records of this source. ping: beginning of a body that only asks whether anybody is there; it is answered, and is no record.
    """

    signature: Signature | None = None
    secrets: tuple[Secret, ...] = Field(default=(), max_length=8)
    is_unsigned: bool = False
    headers: tuple[Header, ...] = Field(default=(), max_length=20)
    takes: dict[Header, Pattern] = Field(default={}, max_length=4)
    ping: Annotated[str, Field(min_length=4, max_length=100)] | None = None

    @model_validator(mode="after")
    def _says_whom_to_believe(self) -> Self:
        if self.is_unsigned and (self.signature is not None or self.secrets):
            raise ValueError(
                "is_unsigned: got a signature or secrets beside it, expected one or the other. Leave one out"
            )
        if not self.is_unsigned and (self.signature is None or not self.secrets):
            raise ValueError(
                "signature: got none, or no secrets, expected both: whoever knows the address could write orders. "
                "Name them, or say is_unsigned for what comes from this machine alone"
            )
        return self
