"""The decision service: HTTP in, decisions out, within milliseconds.

In reading order: `__main__` (the process), `service` (what it holds), `app` (routes), `plain`, `requests`, `answers`, `collector`
(events to Kafka), `visitors` (who is asking; `finding`, `gathering`), `asking`, `recommendations`, `offers`, `outcomes`,
`sockets`, `lane` (decisions from the stream), `changes`, `pressure`, `telemetry`; and `background`, a process of its own: recent
behaviour, moments, `rule_actions`, actions.
What is decided, and why, is pure and lives in `lakehouse/decisions`.
"""

import os

# Before numpy is imported: a product of 5,000 factors by one person's is done before BLAS has woken its other threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
