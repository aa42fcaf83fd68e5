"""The decision service: HTTP in, decisions out, within milliseconds. Imports lakehouse, and is imported by nothing of it.

At the top: `__main__` (the process), `service` (what it holds), `app` (routes), `telemetry`. The rooms, each importing only
those before it: `messages` (what may be said), `kafka` (topics in and out), `visitors` (who it is about), `state` (what is held
between requests), `deciding` (the answer, and the stream's candidates), `api` (HTTP). `background` is a process of its own:
recent behaviour, moments, rules of the stream, actions. What is decided, and why, is pure and lives in `lakehouse/decisions`.
"""

import os

# Before numpy is imported: a product of 5,000 factors by one person's is done before BLAS has woken its other threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
