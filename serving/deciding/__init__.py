"""A request or a candidate to its answer, and what a decision is made from. Must not import background; knows no HTTP."""
