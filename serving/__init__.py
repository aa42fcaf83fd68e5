"""The decision service: HTTP in, decisions out, within milliseconds.

In reading order: `__main__` (the process), `service` (what it holds), `app` (routes), `collector` (events to Kafka),
`visitors` (who is asking), `decisions` (recommendations and offers), `outcomes`, `sockets`, `lane` (decisions from the
stream), `changes`, `limits`, `telemetry`, `page`. What is decided, and why, is pure and lives in `lakehouse/decisions`.
"""
