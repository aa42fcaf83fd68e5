"""What an identifier is; apart from the graph, so that who only names one need not load its arrays (two seconds, 60 MB)."""

Identifier = tuple[str, str]
"""Type, and token or plain value."""
