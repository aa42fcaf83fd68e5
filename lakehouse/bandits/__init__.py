"""Policies that learn from what came of their own choices, and say with which probability they chose. numpy only.

In reading order: `choice` (what a policy answers), `best` (how likely each arm is the best), `thompson`, `linucb`, `state`
(one policy with all it has learned, which fades if wanted and goes through JSON).
"""
