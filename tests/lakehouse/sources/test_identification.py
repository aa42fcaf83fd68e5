"""Who a record is of: strangers never become one person, whatever a record lacks or garbles."""

from pathlib import Path

import pytest

from lakehouse.errors import ConfigError
from lakehouse.sources.mapping import Mapped
from tests.lakehouse.sources.test_mapping import RECORD, SOUND, mapped, parsed, source


def test_an_order_of_somebody_who_cannot_be_named_is_its_guests(tmp_path: Path) -> None:
    text = SOUND.replace("{user_id: who}", "{email: who}") + "guest: concat('order-', id)\n"
    for who, identifiers in (
        ("ann@shop.example", ["email"]),
        ("ann at home", ["guest_id"]),
        ("test@test.com", ["guest_id"]),
        (None, ["guest_id"]),
    ):
        row = parsed(mapped(tmp_path, text, {**RECORD, "who": who}))
        assert (row.verdict, [type_ for type_, _ in row.identifiers or []]) == (None, identifiers), who
    nobody = parsed(mapped(tmp_path, text, {**RECORD, "kind": "looked", "who": None, "id": None}))
    assert str(nobody.verdict).startswith("no_usable_identifier")


GUEST = (
    SOUND.replace("{user_id: who}", "{email: who}")
    + "guest: concat('order-', CASE WHEN parts > 1 THEN id ELSE 'none' END)\n"
)


def test_a_guest_that_cannot_be_told_is_nobody_and_is_not_asked_of_whoever_is_named(tmp_path: Path) -> None:
    garbled = {**RECORD, "parts": "n/a"}
    assert mapped(tmp_path, GUEST, {**garbled, "who": None}) == Mapped(None, "parts: number expected")
    named = parsed(mapped(tmp_path, GUEST, {**garbled, "who": "ann@shop.example"}))
    assert [type_ for type_, _ in named.identifiers or []] == ["email"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GUEST + "impute: {id: {constant: x}}", "impute: got 'id', which guest reads"),
        (
            SOUND.replace("user_id: who", "user_id: who, loyalty_id: \"'card'\""),
            "identifiers.loyalty_id: got the same for every record",
        ),
        (SOUND + "guest: \"'walk-in'\"", "guest: got the same for every record"),
    ],
)
def test_what_strangers_would_share_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        source(tmp_path, text)
