"""What Prometheus is told of a streaming driver. Nothing here may fail a query, and no label holds anything a person sent.

lag             how far a query is behind its topic, from what its micro-batches say
stream_meters   every metric of a driver, and what a micro-batch of `events` adds to them
query_listener  Spark's events about its queries -> those metrics
table_sizes     commits and files of the lake's tables, looked up when somebody asks
exporter        GET /metrics on this machine
"""
