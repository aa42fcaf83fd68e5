"""Who a record is of: its identifiers, and where none of them is of use, its guest: somebody of this one record, such as an order."""

from collections.abc import Mapping

from lakehouse.config import Config
from lakehouse.events.document import text_of
from lakehouse.events.identifiers import GUEST, Resolver
from lakehouse.sources.declaration import SourceDeclaration
from lakehouse.sources.expressions import Expressions, Value, Values
from lakehouse.sources.fields import FieldValues

_COUNTRY = "address.country"  # the trait by which a telephone number is read


class Identification:
    """Thread-safe."""

    def __init__(self, declared: SourceDeclaration, expressions: Expressions, traits: Values, config: Config) -> None:
        """`traits`: of the same source. What is wrong with the expressions goes to the faults of `expressions`."""
        self._identifiers = expressions.all("identifiers", declared.identifiers, ("text",))
        expressions.known("identifiers", declared.identifiers, config.identity.rules)
        self._guest = expressions.one("guest", declared.guest, ("text",))
        for place, value in self.values.items():
            expressions.asks_the_record(place, value)
        self._country = traits.get(_COUNTRY)
        self._resolver = Resolver(config)

    @property
    def values(self) -> Mapping[str, Value]:
        """Every expression that says who, by its place in the source's file."""
        named = {f"identifiers.{type_}": value for type_, value in self._identifiers.items()}
        return named if self._guest is None else {**named, "guest": self._guest}

    def of(self, read: FieldValues) -> dict[str, str]:
        """Value by identifier type. An order of somebody who cannot be named was placed all the same."""
        named = self._named(read)
        guest = self._guest.of(read) if self._guest is not None and not self._is_of_use(named, read) else None
        return named if guest is None else {**named, GUEST: guest}

    def unread(self, read: FieldValues) -> str | None:
        """Which field that says who cannot be read; None = none does that matters.

        An identifier that cannot be read is left out, and whoever the others name remains; which one holds must not be guessed. A guest is
        asked only where they name nobody, and then it must be the record's own.
        """
        for value in self._identifiers.values():
            if (why := value.unread(read, "text")) is not None:
                return why
        is_asked = self._guest is not None and not self._is_of_use(self._named(read), read)
        return self._guest.unread(read) if self._guest is not None and is_asked else None

    def _named(self, read: FieldValues) -> dict[str, str]:
        return {type_: said for type_, value in self._identifiers.items() if (said := value.of(read)) is not None}

    def _is_of_use(self, named: Mapping[str, str], read: FieldValues) -> bool:
        country = None if self._country is None else text_of(self._country.of(read))
        return bool(self._resolver.bundle(named.items(), country))
