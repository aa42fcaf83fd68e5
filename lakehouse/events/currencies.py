"""ISO 4217 codes of money that is or was in circulation: kuna and litas were money when the order was paid.

Source: Unicode CLDR, supplemental currency data, as Babel ships it. Without the codes for no currency and for tests.
"""

from babel.numbers import list_currencies

CURRENCIES = frozenset(list_currencies()) - {"XXX", "XTS"}
