"""Kafka: the local broker, how clients are told of brokers, the topics as a source, messages and how they are sent. Imports nothing that knows an event or a table.

clients          [kafka.options] in the words of each client: the one place that knows them
python_messages  kafka-python's messages, made safe for several clients in one process
oauth_tokens     tokens for the client that does not ask for them itself
admin            what is asked of brokers beside records: whether they answer, their topics
refusal          why a broker that is there refuses us
broker           the lake's own broker: start, stop, find; whether the configured one answers
server           what it is started with
topics           which topics a reader reads
source           the topics of events as a stream
unread           the records of a topic that nobody has taken in yet
message          one record for the broker
produce          many of them, each acknowledged
"""
