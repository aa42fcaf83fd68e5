"""Kafka record -> accepted event or quarantined record, as Spark SQL expressions. Writes no table; imports no `identity`.

parse                 the one way in: records -> events with a verdict; the steps below in order
reasons, verdict      why a record is rejected
document              bytes -> one JSON document
schema, envelope      where fields lie; what each event type needs
clock                 client time -> event time
identifiers           who it was: emails, phone (one form each), blocked_values (junk), tokens (HMAC of personal values)
commerce              amounts, currencies: orders and their lines
privacy, bots, traits addresses and search texts without personal data; programs; raw traits for matching
sender, worker_daemon who sent it, read in Python workers; the process these are forked from
facts, fact_tables    what the service tells of no person, and the tables it is folded into
dedupe                one event per message_id, conflicts to quarantine: used by the silver query
"""
