"""A retailer simulated over 120 days, its truth known. In reading order: `clock`, `catalogue`, `devices`, `people`,
`visits` (the plan), `stay`, `browsing`, `orders` (the messages), `faults`, `simulator`.
"""

from lakehouse.demo.shop.simulator import DEFAULT_EVENTS, Shop, messages

__all__ = ["DEFAULT_EVENTS", "Shop", "messages"]
