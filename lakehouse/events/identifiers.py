"""Which identifiers an event carries: found, brought into one form, blocked values dropped, personal ones turned into tokens.

One form: ids by lakehouse/events/ids.py, e-mail by emails.py, telephone by phone.py. Blocked: blocked_values.py; e-mail and
telephone are compared in their one form, a telephone as the bare digits it was sent in, too.

An address is an address wherever it stands: as any other identifier it is compared as one, and names its person as an e-mail
besides. E-mail and telephone are always tokens, and so is any other identifier that is an address or is written like a telephone
number: people log in with both. The mailbox of a function (`info@`) is an identifier of a type of its own, a weak one. So is a user
id of a source that makes a new one for every checkout (identity.guest_sources): it ties one checkout together, and two of them may be
one person's.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lakehouse.config import Config
from lakehouse.events import emails, ids, phone
from lakehouse.events import reasons as R
from lakehouse.events.blocked_values import Blocked, blocked
from lakehouse.events.identifier import Identifier
from lakehouse.events.privacy import holds_at
from lakehouse.events.tokens import is_personal, token

# (identifier type, field of schema.TEXTS that holds one); other configured types come from context.externalIds only
FIELDS = (
    ("user_id", "user_id"),
    ("anonymous_id", "anonymous_id"),
    ("anonymous_id", "previous_id"),  # so that an alias event ties both ids together
    ("email", "email"),
    ("phone", "phone"),
    ("device_id", "device_id"),
    ("loyalty_id", "loyalty_id"),
)
EMAIL, PHONE, MAILBOX = "email", "phone", "mailbox"
USER, GUEST = "user_id", "guest_id"
_NO_DIGIT = re.compile(r"[^0-9]+")
_REMEMBERED = 100_000  # values; the same visitor comes again and again


@dataclass(frozen=True)
class Resolver:
    """Resolves identifiers by one configuration. Picklable, thread-safe."""

    config: Config

    def __reduce__(self) -> tuple[type, tuple[Config]]:
        return Resolver, (self.config,)  # what it remembers stays behind

    def resolve(self, type_: str, value: str, country: str | None = None) -> Identifier | None:
        """(type, token) that stands for an identifier in every table; None when it is blocked or malformed.

        The type is the one given, but for an address that is a function's. `country`: ISO 3166 region of the person's address; a
        telephone number without country code is national to it.
        """
        identifier = self._remembered(type_, value, country if type_ == PHONE else None)
        return None if isinstance(identifier, str) else identifier

    def fault(self, type_: str, value: str, country: str | None = None) -> str | None:
        """Why it is not usable, a code of lakehouse/events/reasons.py; None when it is, or is of no type we know."""
        identifier = self._remembered(type_, value, country if type_ == PHONE else None)
        return identifier if isinstance(identifier, str) else None

    def is_of_guests(self, source: str | None) -> bool:
        """Whether the user ids of a source, in capitals or not, are new at every checkout."""
        return (source or "").lower() in self.config.identity.guest_sources

    def bundle(
        self, sent: Iterable[tuple[str, str]], country: str | None = None, source: str | None = None
    ) -> list[Identifier]:
        """Every usable identifier among (type, value), distinct and sorted: what names the actor."""
        usable, are_guests = set(), self.is_of_guests(source)
        for named, value in sent:
            type_ = GUEST if are_guests and named == USER else named
            if (identifier := self.resolve(type_, value, country)) is not None:
                usable.add(identifier)
                if type_ != EMAIL and holds_at(value) and (address := self.resolve(EMAIL, value)) is not None:
                    usable.add(address)
        return sorted(usable)

    @cached_property
    def _remembered(self) -> Callable[[str, str, str | None], Identifier | str | None]:
        return lru_cache(maxsize=_REMEMBERED)(self._resolve)

    def _resolve(self, type_: str, value: str, country: str | None) -> Identifier | str | None:
        """The identifier, or the code of what is wrong with it; None for a type that is not configured."""
        config, junk = self.config, self._junk.get(type_)
        if junk is None:
            return None
        if type_ == PHONE:
            number = phone.normalise(value, self._region, country)
            if junk.holds(_NO_DIGIT.sub("", phone.in_our_digits(value))) or (number is not None and junk.holds(number)):
                return R.PLACEHOLDER
            return R.UNREADABLE if number is None else (PHONE, token(config.privacy, PHONE, number))
        address = emails.normalise(value, config.identity.email_tags) if holds_at(value) else None
        normal = address or ids.normalise(value.strip(" "))
        if not normal or junk.holds(normal):
            return R.PLACEHOLDER
        if type_ == EMAIL:
            if address is None:
                return R.UNREADABLE
            is_of_function = emails.mailbox(address) in self._functions and MAILBOX in self._junk
            return MAILBOX if is_of_function else EMAIL, token(config.privacy, EMAIL, address)
        return type_, token(config.privacy, type_, normal) if is_personal(normal) else normal

    @cached_property
    def _junk(self) -> dict[str, Blocked]:
        return {type_: blocked(type_, self.config.identity) for type_ in self.config.identity.rules}

    @cached_property
    def _functions(self) -> frozenset[str]:
        return frozenset(map(emails.mailbox, self.config.identity.function_mailboxes))

    @cached_property
    def _region(self) -> str:
        return phone.region(self.config.events.default_region)


def resolve(type_: str, value: str, config: Config, country: str | None = None) -> str | None:
    """The token (or plain value) that stands for an identifier in every table; see `Resolver.resolve`."""
    identifier = Resolver(config).resolve(type_, value, country)
    return None if identifier is None else identifier[1]
