"""Kafka: the local broker, the topic as a source, messages and how they are sent. Imports nothing that knows an event or a table.

broker      the lake's own broker: start, stop, find, topics; whether the configured one answers
server      what it is started with
source      the events topic as a stream
message     one record for the broker
produce     many of them, each acknowledged
"""
