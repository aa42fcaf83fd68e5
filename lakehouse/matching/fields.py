"""Which fields two records are compared on: one per configured trait, and what a whole name adds to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse.errors import ConfigError

GIVEN_NAME, FAMILY_NAME, FULL_NAME, NAME = "given_name", "family_name", "full_name", "name"
DATE, EMAIL, PHONE, ADDRESS, CODE, CATEGORY, TEXT = "date", "email", "phone", "address", "code", "category", "text"
KINDS = (GIVEN_NAME, FAMILY_NAME, FULL_NAME, NAME, DATE, EMAIL, PHONE, ADDRESS, CODE, CATEGORY, TEXT)
NAMES = (GIVEN_NAME, FAMILY_NAME, NAME)
LINES = (ADDRESS, TEXT)


@dataclass(frozen=True, kw_only=True)
class FieldSource:
    """Where a field's value is found. `part`: of a whole name, GIVEN_NAME or FAMILY_NAME; "" = the value as it is."""

    trait: str
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that is compared; the first of `sources` that has a usable value gives it."""

    name: str
    kind: str
    sources: tuple[FieldSource, ...]


def fields(traits: Mapping[str, str]) -> tuple[Field, ...]:
    """Traits with their kinds, in order -> fields.

    A whole name is no field: its first and last words fill what separate names leave out, or stand alone. Compared beside
    the names it is made of it would count the same evidence twice.

    Raises:
        ConfigError: an unknown kind, or no traits.
    """
    if not traits:
        raise ConfigError(f"[matching.traits]: got none, expected trait = kind, one of {list(KINDS)}. Add some")
    for trait, kind in traits.items():
        if kind not in KINDS:
            raise ConfigError(f"[matching.traits] {trait}: got {kind!r}, expected one of {list(KINDS)}. Mend the value")
    whole = [trait for trait, kind in traits.items() if kind == FULL_NAME]
    found: list[Field] = []
    for part in (GIVEN_NAME, FAMILY_NAME):
        separate = [FieldSource(trait=trait) for trait, kind in traits.items() if kind == part]
        filling = [FieldSource(trait=trait, part=part) for trait in whole]
        if separate:  # two given names are two fields; a whole name fills the first
            first, *more = separate
            found.append(Field(name=first.trait, kind=part, sources=(first, *filling)))
            found += [Field(name=source.trait, kind=part, sources=(source,)) for source in more]
        elif filling:
            found.append(Field(name=f"{whole[0]}.{part}", kind=part, sources=tuple(filling)))
    others = [(trait, kind) for trait, kind in traits.items() if kind not in (GIVEN_NAME, FAMILY_NAME, FULL_NAME)]
    return (*found, *(Field(name=trait, kind=kind, sources=(FieldSource(trait=trait),)) for trait, kind in others))
