"""One request to its answer: what holds for a visitor, and what the process has learned. Knows no HTTP."""
