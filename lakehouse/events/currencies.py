"""ISO 4217 codes of money that is or was in circulation: kuna and litas were money when the order was paid.

Source: Unicode CLDR, supplemental currency data, as Babel ships it. Without the codes for no currency and for tests.
"""

from collections.abc import Mapping

from babel.numbers import list_currencies

CURRENCIES = frozenset(list_currencies()) - {"XXX", "XTS"}

SIGNS: Mapping[str, str | None] = {
    "€": "EUR", "£": "GBP", "US$": "USD", "CA$": "CAD", "C$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD", "NT$": "TWD", "S$": "SGD",
    "MX$": "MXN", "R$": "BRL", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW", "₪": "ILS", "₫": "VND", "₴": "UAH", "₦": "NGN", "₱": "PHP", "฿": "THB",
    "₡": "CRC", "₸": "KZT", "₾": "GEL", "₼": "AZN", "₭": "LAK", "₮": "MNT", "₲": "PYG", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "lei": "RON",
    "$": None, "¥": None, "kr": None, "Rs": None,
}  # fmt: skip
"""What stands beside an amount in place of a code; None = of several currencies. Source: CLDR's symbols, without single letters."""
