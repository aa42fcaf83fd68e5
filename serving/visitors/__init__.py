"""Who a visitor is, and what they did a moment ago. Must not import api, deciding, background."""
