from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.actions.destinations import read_destinations
from lakehouse.config.paths import DESTINATIONS, MOMENTS, OFFERS
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import ConfigError
from lakehouse.moments.definitions import Definition, read_moments

GOOD = {"name": "cart", "owner": "crm", "kind": "abandoned_cart", "after": "1 h", "destinations": ["crm"]}


def test_what_is_shipped_is_sound() -> None:
    offers = read_catalogue(OFFERS).offers
    found = read_moments(MOMENTS, offers=offers, destinations=read_destinations(DESTINATIONS, {}))
    assert {one.kind for one in found.all} == {
        *("abandoned_cart", "abandoned_browse", "high_engagement"),
        *("first_purchase_follow_up", "lapse"),
    }


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    bad: list[dict[str, Any]] = [
        GOOD | {"after": "soon"},
        GOOD | {"name": "b", "kind": "high_engagement"},
        GOOD | {"name": "c", "window": "5 min"},
        GOOD | {"name": "d", "after": "0 s"},
        GOOD | {"name": "e", "min_views": 2},
        GOOD | {"name": "f", "offer": "nonesuch"},
        GOOD | {"name": "g", "destinations": ["nowhere"]},
        GOOD | {"name": "h", "afterr": "1 h"},
        GOOD | {"name": "i", "destinations": []},
        GOOD | {"name": "j", "after": "401 d"},
    ]
    path = tmp_path / "moments.yaml"
    path.write_text(yaml.safe_dump({"moments": bad}))
    with pytest.raises(ConfigError) as refused:
        read_moments(path, offers={}, destinations={"crm"})
    faults = str(refused.value).splitlines()
    assert len(faults) == len(bad)
    for number in range(len(bad)):
        assert any(fault.startswith(f"moments.yaml: moments[{number}]") for fault in faults), number


def test_an_event_that_starts_it_does_not_end_it() -> None:
    one = Definition.model_validate(GOOD | {"cancelled_by": ["Product Added", "Cart Viewed"]})
    assert one.cancels == {"Cart Viewed"}
