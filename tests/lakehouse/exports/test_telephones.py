"""Telephone numbers leave as receivers know them, whatever they were told as."""

import json
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from tests.lakehouse.exports.shop import Shop, person

TOLD = {  # profile -> number and country as told -> what everybody dials
    "austrian": ("0664 123 45 67", "Österreich", "+436641234567"),
    "american": ("(415) 555-2671", None, "+14155552671"),
    "abroad": ("0044 20 7946 0018", "US", "+442079460018"),
    "already": ("+491702345670", "AT", "+491702345670"),
    "unreadable": ("ask Kim", "DE", "ask Kim"),
    "none": (None, "DE", None),
}


def test_a_number_leaves_with_its_countrys_code(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path,
        {"kind": "folder", "path": str(tmp_path / "out")},
        into="people.jsonl",
        mode="mirror",
        columns={"id": "profile_id", "phone": "phone", "is_reached": "phone LIKE '+%'"},
        also=["gold.contacts"],
    )
    shop.people(*map(person, TOLD))
    numbers, countries, _ = zip(*TOLD.values(), strict=True)
    contacts = pa.table({"profile_id": list(TOLD), "phone": list(numbers), "country": list(countries)})
    write_deltalake(shop.lake / "gold" / "contacts", contacts)
    shop.run()
    lines = map(json.loads, (tmp_path / "out" / "people.jsonl").read_text().splitlines())
    left = {line["id"]: (line["phone"], line["is_reached"]) for line in lines}
    expected = {name: dialled for name, (_, _, dialled) in TOLD.items()}
    assert left == {name: (one, one and one.startswith("+")) for name, one in expected.items()}
