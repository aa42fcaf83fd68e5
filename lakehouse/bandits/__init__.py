"""Policies that learn from what came of their own choices, and say with which probability they chose.

In reading order: `choice` (what a policy answers), `thompson`, `linucb`.
"""
