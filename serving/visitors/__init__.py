"""Who a visitor is, and what they did a moment ago. Must not import state, deciding, api or background."""
