"""Kafka outside of a query: the local broker, the topic as a source, messages and how they are sent. Knows no event.

broker      the lake's own broker: start, stop, find, topics
server      what it is started with
reachable   the broker, looked for before anything waits for it
source      the events topic as a stream
message     one record for the broker
produce     many of them, each acknowledged
"""
