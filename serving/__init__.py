"""The decision service: HTTP in, decisions out, within milliseconds. Imports lakehouse, and is imported by nothing of it.

At the top: `__main__` (the process), `service` (what it holds), `app` (routes), `telemetry`. The rooms, in the order of a
request: `api` (what it may say, how it is answered), `visitors` (who it is about), `deciding` (its answer, and the stream's
candidates), `kafka` (topics in and out). `background` is a process of its own: recent behaviour, moments, rules of the
stream, actions. What is decided, and why, is pure and lives in `lakehouse/decisions`.
"""

import os

# Before numpy is imported: a product of 5,000 factors by one person's is done before BLAS has woken its other threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
