"""What the `profiles` query keeps at the leaf: one module a table, each from leaf rows alone."""
