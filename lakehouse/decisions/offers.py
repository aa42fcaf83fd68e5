"""The catalogue of offers: `conf/offers.yaml` as frozen values."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from lakehouse.config.declarations import (
    Caps,
    Name,
    QuietHours,
    Valid,
    checked,
    declared_purpose,
    read_document,
    refuse,
)
from lakehouse.config.limits import PURPOSES
from lakehouse.errors import RuleError
from lakehouse.rules.evaluate import Predicate, Values, compile_predicate
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import VOCABULARY, Term

Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A purpose of consent, of consent.purposes. One that is not among them is one that nobody consented to: the gate says so."""
DeclaredPurpose = Annotated[Purpose, AfterValidator(declared_purpose)]
Channel = Literal["web", "push", "email", "webhook"]
INTERRUPTING: frozenset[str] = frozenset({"push", "email", "webhook"})  # channels that quiet hours silence


class Offer(Valid):
    """One offer. `when`: SQL over the rule vocabulary; None = for everybody. `value`: default currency."""

    name: Name
    title: str
    owner: str
    purpose: DeclaredPurpose
    channels: tuple[Channel, ...] = Field(min_length=1)
    value: Decimal = Field(gt=0, max_digits=18, decimal_places=2)
    when: str | None = None
    tiers: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    caps: Caps = Caps()
    quiet_hours: QuietHours | None = None
    content: Mapping[str, Any] = {}


class Catalogue:
    """Every offer by name, in the order of the file, and for whom each is, compiled once."""

    def __init__(self, offers: Mapping[str, Offer], audience: Mapping[str, Predicate]) -> None:
        self.offers = offers
        self._audience = audience

    def is_for(self, offer: Offer, context: Values) -> bool:
        """SQL's WHERE: unknown is no. `context`: prepared."""
        predicate = self._audience.get(offer.name)
        return predicate is None or predicate(context) is True


def read_catalogue(
    path: Path, words: Mapping[str, Term] = VOCABULARY, purposes: Collection[str] = PURPOSES
) -> Catalogue:
    """Read and check the file. `words`: what the `when` of an offer may read. `purposes`: consent.purposes.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    place = f"{path.name}: offers"
    offers: dict[str, Offer] = {}
    audience: dict[str, Predicate] = {}
    for number, offer in checked(read_document(path, "offers").get("offers"), Offer, place, faults, purposes=purposes):
        offers[offer.name] = offer
        try:
            if offer.when is not None:
                audience[offer.name] = compile_predicate(parse(offer.when, words))
        except RuleError as error:
            faults.append(f"{place}[{number}].when: {error}")
    refuse(faults)
    return Catalogue(offers, audience)
