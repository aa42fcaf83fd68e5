"""What the shop sells: 200 products in eight categories, in three price tiers. Money is integer cents."""

import json
from dataclasses import dataclass
from random import Random

CHEAP, MIDDLE, PREMIUM = 0, 1, 2
PRODUCTS_PER_CATEGORY = 25
COUPONS = {"SAVE10": 10, "SUMMER15": 15, "DEAL20": 20}  # percent off

_CATEGORIES = {
    "kitchen": ("Kettle", "Pan", "Knife Set", "Toaster", "Mug"),
    "garden": ("Trowel", "Hose", "Planter", "Pruner", "Lantern"),
    "books": ("Novel", "Atlas", "Cookbook", "Biography", "Comic"),
    "toys": ("Puzzle", "Kite", "Train", "Blocks", "Doll"),
    "sports": ("Yoga Mat", "Racket", "Bottle", "Helmet", "Dumbbell"),
    "clothing": ("Scarf", "Jacket", "Socks", "Shirt", "Beanie"),
    "electronics": ("Headphones", "Charger", "Speaker", "Keyboard", "Camera"),
    "beauty": ("Soap", "Serum", "Comb", "Candle", "Lotion"),
}
_STYLES = ("Basic", "Classic", "Nordic", "Urban", "Deluxe")
_TIER_CENTS = ((399, 1999), (2000, 5999), (6000, 18999))  # lowest and highest price of a tier


@dataclass(frozen=True, slots=True)
class Product:
    """One product; `json` holds its wire fields without braces, quantity left to the caller."""

    product_id: str
    category: str
    tier: int
    cents: int
    json: str


@dataclass(frozen=True)
class ShopCatalogue:
    products: tuple[Product, ...]
    shelves: dict[tuple[str, int], tuple[Product, ...]]  # (category, tier) -> products

    def pick(self, rng: Random, favourite: str, tier: int) -> Product:
        """Mostly the favourite category and the buyer's tier, sometimes anything."""
        luck = rng.random()
        if luck > 0.8:
            return self.products[int(luck * 1e6) % len(self.products)]
        shelf = self.shelves[favourite, tier]
        return shelf[int(rng.random() * len(shelf))]


CATEGORIES = tuple(_CATEGORIES)


def money(cents: int) -> str:
    """Cents as a JSON number with two decimals: 1999 -> 19.99."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def build(seed: int) -> ShopCatalogue:
    rng = Random(seed)
    products = []
    for category, nouns in _CATEGORIES.items():
        for number in range(PRODUCTS_PER_CATEGORY):
            tier = (CHEAP, MIDDLE, CHEAP, PREMIUM, MIDDLE)[number % 5]
            low, high = _TIER_CENTS[tier]
            cents = (low + int(rng.random() * (high - low))) // 100 * 100 + 99
            product_id = f"{category[:3]}-{number:03d}"
            wire = {
                "product_id": product_id,
                "name": f"{_STYLES[number // 5]} {nouns[number % 5]}",
                "category": category,
            }
            text = json.dumps(wire, separators=(",", ":"))[1:-1] + f',"price":{money(cents)}'
            products.append(Product(product_id, category, tier, cents, text))
    shelves = {
        (category, tier): tuple(p for p in products if p.category == category and p.tier == tier)
        for category in CATEGORIES
        for tier in (CHEAP, MIDDLE, PREMIUM)
    }
    return ShopCatalogue(tuple(products), shelves)
