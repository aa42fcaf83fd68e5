"""What stands in for nothing: only where it is declared, only where nothing stands, and marked in the event."""

from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import ConfigError
from lakehouse.sources.fields import FieldValues
from lakehouse.sources.imputation import Typical
from lakehouse.sources.source import Source
from tests.lakehouse.sources.test_mapping import CONFIG

PEOPLE = """
fields: {who: text, at: time, country: text, tier: text, points: number, ok: boolean}
type: identify
time: at
identifiers: {user_id: who}
traits: {country: country, tier: tier, points: points, ok: ok}
impute: {country: mode, tier: {constant: none}, points: median, ok: {constant: false}}
"""
PERSON = {"who": "ann", "at": "2025-01-31"}


def people(folder: Path, text: str = PEOPLE) -> Source:
    path = folder / "people.yaml"
    path.write_text(text, encoding="utf-8")
    return Source.read(path, CONFIG)


def document(source: Source, **said: Any) -> dict[str, Any]:
    found = source.mapping.map(PERSON | said, "r1").document
    assert found is not None
    return found


def test_constants_fill_what_says_nothing_and_the_event_says_so(tmp_path: Path) -> None:
    made = document(people(tmp_path), country="DE", points="7")
    assert made["traits"] == {"country": "DE", "tier": "none", "points": 7.0, "ok": False}
    assert made["context"]["imputed"] == ["tier", "ok"]
    said = document(people(tmp_path), tier="gold", ok="yes")
    assert (said["traits"]["tier"], said["traits"]["ok"], "imputed" in said["context"]) == ("gold", True, False)


def test_what_stands_there_and_cannot_be_read_is_left_to_the_parse(tmp_path: Path) -> None:
    assert document(people(tmp_path), ok="perhaps")["traits"]["ok"] == "perhaps"


def test_what_is_typical_is_learned_from_all_records_and_then_fills(tmp_path: Path) -> None:
    source = people(tmp_path)
    typical = Typical(source.mapping.imputations)
    for country, points in (("FR", "1"), ("DE", "2"), ("DE", None), (None, "90"), ("FR", "x")):
        typical.take(read(source, country, points))
    assert typical.values() == {"country": "DE", "points": 2.0}, "of two as frequent the first by text, and the middle"
    filled = document(source.filled_by(typical.values()))
    assert filled["traits"] == {"country": "DE", "tier": "none", "points": 2.0, "ok": False}
    assert Typical(source.mapping.imputations).values() == {}


def read(source: Source, country: str | None, points: str | None) -> FieldValues:
    assert source.mapping.fields is not None
    return source.mapping.fields.read(PERSON | {"country": country, "points": points})


def test_a_value_that_comes_once_is_typical_of_nothing(tmp_path: Path) -> None:
    source = people(tmp_path)
    typical = Typical(source.mapping.imputations)
    typical.take(read(source, "DE", None))
    assert typical.values() == {}


@pytest.mark.parametrize(
    ("impute", "fault"),
    [
        ("{shoe: mode}", "impute: got 'shoe', expected a declared field"),
        ("{at: mode}", "impute.at: got a field of type time"),
        ("{tier: median}", "impute.tier: got median of a text"),
        ("{points: {constant: many}}", "impute.points: got a constant that is no number"),
        ("{ok: {constant: 1}}", "impute.ok: got a constant that is no boolean"),
        ("{points: {constant: true}}", "impute.points: got a constant that is no number"),
        ("{who: mode}", "got 'who', which identifiers.user_id reads"),
        ("{ok: mode}\nconsent: {marketing: ok}", "got 'ok', which consent.marketing reads"),
        ("{tier: mode}\nid: concat(who, tier)", "got 'tier', which id reads"),
    ],
)
def test_what_must_not_be_made_up_is_refused(tmp_path: Path, impute: str, fault: str) -> None:
    with pytest.raises(ConfigError) as refused:
        people(tmp_path, f"{PEOPLE[: PEOPLE.index('impute')]}impute: {impute}")
    assert fault in str(refused.value)


def test_a_source_that_declares_nothing_fills_nothing(tmp_path: Path) -> None:
    declares_none = people(tmp_path, PEOPLE[: PEOPLE.index("impute")])
    assert "imputed" not in document(declares_none)["context"]
