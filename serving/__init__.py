"""The decision service: HTTP in, decisions out, within milliseconds.

In reading order: `__main__` (the process), `service` (what it holds), `app` (routes), `requests`, `answers`, `collector`
(events to Kafka), `visitors` (who is asking), `asking`, `recommendations`, `offers`, `outcomes`, `sockets`, `lane` (decisions
from the stream), `changes`, `pressure`, `telemetry`; and `background`, a process of its own: recent behaviour, moments,
`rule_actions`, actions.
What is decided, and why, is pure and lives in `lakehouse/decisions`.
"""
