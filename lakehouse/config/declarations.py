"""Files an owner edits (conf/*.yaml): a list of entries, each checked by its model, every fault of the file told at once."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lakehouse.config.limits import PURPOSES
from lakehouse.errors import ConfigError

MOST_BYTES = 1_000_000
MOST_ENTRIES = 10_000
DAY_MS = 86_400_000
_MOST_MS = 400 * DAY_MS
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": DAY_MS}
_DURATION = re.compile(r"(\d{1,6}) ?(ms|s|min|h|d)")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"got '{name}', expected a time zone such as Europe/Berlin")
    return name


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _milliseconds(sent: Any) -> int:
    found = _DURATION.fullmatch(sent.strip()) if isinstance(sent, str) else None
    if found is None or (length := int(found[1]) * _UNITS[found[2]]) > _MOST_MS:
        raise ValueError(
            f"got {str(sent)[:40]!r}, expected a length of time up to 400 d, such as 90 s, 45 min, 1 h, 30 d"
        )
    return length


Instant = Annotated[datetime, AfterValidator(_utc)]  # UTC unless it names an offset
Zone = Annotated[str, AfterValidator(_known_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Milliseconds, written as text with a unit."""


class Declared(BaseModel):
    """Frozen; an unknown key is a fault that names the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _names_the_nearest(cls, values: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [str(name) for name in values if name not in known] if isinstance(values, dict) else []
        if unknown:
            nearest = difflib.get_close_matches(unknown[0], known, n=1, cutoff=0.0)
            raise ValueError(f"unknown key '{unknown[0][:60]}'; did you mean '{nearest[0]}'?")
        return values


class Valid(Declared):
    """Something in force from `valid_from` up to but not including `valid_to`; None = open."""

    valid_from: Instant | None = None
    valid_to: Instant | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_from is not None and self.valid_to is not None and self.valid_from >= self.valid_to:
            raise ValueError(f"valid_to: got {self.valid_to:%Y-%m-%d %H:%M}, expected a time after valid_from")
        return self


class Caps(Declared):
    """How often one person may be shown something; None = as often as it comes."""

    per_day: int | None = Field(default=None, ge=1)
    per_week: int | None = Field(default=None, ge=1)
    lifetime: int | None = Field(default=None, ge=1)


class Acting(Declared):
    """What a moment or a rule does beyond a decision: one action for each destination.

    template: of conf/templates; None = that of its name. valid_for: how long after it is due anybody still wants to hear of it.
    """

    destinations: tuple[Name, ...] = Field(default=(), max_length=8)
    template: Name | None = None
    respects_quiet_hours: bool = True
    valid_for: Duration = DAY_MS

    def unknown(self, place: str, destinations: Collection[str] | None) -> list[str]:
        """A fault where it names a destination that is not declared. `destinations`: those that are; None = any may be."""
        unknown = [] if destinations is None else [name for name in self.destinations if name not in destinations]
        known = ", ".join(sorted(destinations or ())) or "none that is declared"
        return [f"{place}.destinations: no destination '{name}', expected one of {known}" for name in unknown[:1]]


class QuietHours(Declared):
    """From `start` up to but not including `end`, local time of `zone`; over midnight when `end` is earlier."""

    start: time = Field(alias="from")
    end: time = Field(alias="to")
    zone: Zone

    def in_zone(self, zone: str | None) -> Self:
        """The same hours where somebody else is. `zone`: of a time zone; None = nobody knows, and the declared one holds."""
        return self if zone is None else self.model_copy(update={"zone": zone})

    def hold(self, now: datetime) -> bool:
        local = now.astimezone(ZoneInfo(self.zone)).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


M = TypeVar("M", bound=BaseModel)


def read_document(path: Path, *keys: str) -> dict[str, Any]:
    """The file's one mapping, whose keys are among `keys`.

    Raises:
        ConfigError: it cannot be read, is too large, or is something else.
    """
    return document_in(read_text(path, *keys), path, *keys)


def read_text(path: Path, *keys: str) -> str:
    """The file as text, for `document_in`. Raises ConfigError: it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error, *keys) from error


def document_in(text: str, path: Path, *keys: str) -> dict[str, Any]:
    """`read_document` of the text of such a file."""
    try:
        document = yaml.safe_load(text) if len(text.encode()) <= MOST_BYTES else None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _unreadable(path, error, *keys) from error
    if not isinstance(document, dict) or not set(document) <= set(keys):
        unknown = next((str(key)[:60] for key in document if key not in keys), "") if isinstance(document, dict) else ""
        got = f"got '{unknown}', " if unknown else ""
        raise ConfigError(
            f"{path.name}: {got}expected a mapping of {' and '.join(keys)}, at most {MOST_BYTES} bytes. See conf/{path.name}"
        )
    return document


def _unreadable(path: Path, error: Exception, *keys: str) -> ConfigError:
    words = " ".join(str(error).split())[:200]
    return ConfigError(f"{path.name}: cannot be read ({words}), expected YAML with {' and '.join(keys)}")


def declared_purpose(purpose: str, told: ValidationInfo) -> str:
    """For a field that names a purpose of consent: it is one of those that the reader of the file was handed, without it of PURPOSES."""
    known = (told.context or {}).get("purposes", PURPOSES)
    if purpose not in known:
        words = " or ".join(f"'{one}'" for one in known)
        raise PydanticCustomError("purpose", "got '{got}', expected {words}", {"got": purpose[:60], "words": words})
    return purpose


def validated(
    document: Any, model: type[M], place: str, faults: list[str], *, purposes: Collection[str] = PURPOSES
) -> M | None:
    """The document as its model; None where it is not sound, and what is wrong goes to `faults`. `purposes`: see `declared_purpose`."""
    try:
        return model.model_validate(document, context={"purposes": purposes})
    except ValidationError as error:
        faults += _faults(error, place)
        return None


def checked(
    entries: Any, model: type[M], place: str, faults: list[str], *, purposes: Collection[str] = PURPOSES
) -> list[tuple[int, M]]:
    """The entries that are sound, with their numbers; what is wrong with the others goes to `faults`.

    `place`: where they stand, such as `rules.yaml: rules`. No two entries may have one `name`. `purposes`: see `declared_purpose`.
    """
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        faults.append(f"{place}: expected a list of at most {MOST_ENTRIES} entries")
        return []
    declared: list[tuple[int, M]] = []
    names: set[str] = set()
    for number, entry in enumerate(entries):
        one = validated(entry, model, f"{place}[{number}]", faults, purposes=purposes)
        if one is None:
            continue
        name = getattr(one, "name", None)
        if name is not None and name in names:
            faults.append(f"{place}[{number}].name: '{name}' is there already. Name it otherwise")
        names.add(str(name))
        declared.append((number, one))
    return declared


def refuse(faults: Sequence[str]) -> None:
    """Raises ConfigError when there is a fault: one line each."""
    if faults:
        raise ConfigError("\n".join(faults))


def _faults(error: ValidationError, place: str) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"])
        yield f"{place}{'.' if where else ''}{where}: {fault['msg'].removeprefix('Value error, ')}"
