"""Topics in and out of an event loop. Knows no message."""
