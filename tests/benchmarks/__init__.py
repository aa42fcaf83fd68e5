"""Benchmarks: each prints one JSON object as its last line. They measure, tests judge."""
