import json
from random import Random

import pytest

from lakehouse.demo.shop.catalogue import CATEGORIES, CHEAP, PREMIUM, build, money


def test_two_hundred_products_have_their_price_in_their_wire_form() -> None:
    catalogue = build(7)
    assert len({product.product_id for product in catalogue.products}) == 200
    for product in catalogue.products:
        wire = json.loads("{" + product.json + "}", parse_float=str)
        assert int(wire["price"].replace(".", "")) == product.cents > 0
        assert (wire["product_id"], wire["category"]) == (product.product_id, product.category)


def test_every_shelf_has_products_and_dear_ones_cost_more() -> None:
    catalogue = build(7)
    for category in CATEGORIES:
        cheap, dear = catalogue.shelves[category, CHEAP], catalogue.shelves[category, PREMIUM]
        assert max(p.cents for p in cheap) < min(p.cents for p in dear)


def test_a_buyer_picks_mostly_from_the_favourite_shelf() -> None:
    catalogue, rng = build(7), Random(1)
    picked = [catalogue.pick(rng, "books", CHEAP) for _ in range(1_000)]
    assert 750 < sum(p.category == "books" and p.tier == CHEAP for p in picked) < 870


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00"), (5, "0.05"), (1999, "19.99"), (-1999, "-19.99")])
def test_cents_are_written_as_a_number_with_two_decimals(cents: int, text: str) -> None:
    assert money(cents) == text
