"""Telephone numbers of gold.contacts as every receiver knows them: `+<country code><number>`, E.164. gold.contacts has them as they were told.

A number without country code is national to the country of the person's address, else to events.default_region, as the parse reads it
(lakehouse/events/phone.py). One that nobody can read leaves as it was told; whoever hashes numbers, or takes no others, leaves it out.
"""

from collections.abc import Collection

import pyarrow as pa

from lakehouse.events import phone
from lakehouse.exports.mapping import PROFILE, RowMapping
from lakehouse.exports.source import Gold
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS

_PHONE, _COUNTRY = "phone", "country"


def countries_of(gold: Gold, profiles: Collection[str]) -> dict[str, str | None]:
    """Profile -> the country of its address, as told. Raises ExportError."""
    found = gold.rows_with(GOLD_CONTACTS, (PROFILE, _COUNTRY), PROFILE, profiles)
    return dict(zip(found[PROFILE].to_pylist(), found[_COUNTRY].to_pylist(), strict=True))


def in_one_form(rows: pa.Table, mapping: RowMapping, gold: Gold, region: str) -> pa.Table:
    """The rows, as the mapping reads them, with numbers in E.164. `region`: of a number of nobody's country. Raises ExportError."""
    if _PHONE not in mapping.reads or mapping.words[_PHONE].group != GOLD_CONTACTS.name:
        return rows
    told = list(zip(rows[PROFILE].to_pylist(), rows[_PHONE].to_pylist(), strict=True))
    asked = {profile for profile, number in told if number is not None and not phone.is_e164(number)}
    if not asked:
        return rows
    countries = countries_of(gold, asked)
    numbers = [_read(number, countries.get(profile), region) for profile, number in told]
    return rows.set_column(rows.column_names.index(_PHONE), _PHONE, pa.array(numbers, rows[_PHONE].type))


def _read(number: str | None, country: str | None, region: str) -> str | None:
    if number is None or phone.is_e164(number):
        return number
    return phone.normalise(number, region, country) or number
