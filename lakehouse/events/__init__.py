"""Kafka record -> accepted event or quarantined record, read in plain Python. Writes no table; imports no `identity`.

parse, event_rows       the one way in for Spark: records -> events with a verdict, in Python workers, by Arrow batches
event_row               one record -> one row; reader: the same for a single message of the online side
reasons, verdict        why a record is rejected, or a field left empty
document                bytes -> one JSON document
schema, fields          where fields lie; fields of a message, as text of one kind each
envelope, contracts     what every event needs; what an event of a name needs
clock                   client time -> event time
sender, identifiers     who it was; ids, emails, phone (one form each), blocked_values (junk), tokens (HMAC of personal values)
figures, commerce       amounts and lines; what an order is worth; amounts, currencies, money
consent                 what was said of each purpose
own_fields              properties and context as JSON text, with tokens for what personal_data finds
json_text               JSON of an object, by which what rests on it alone is remembered
declared_properties     those of conf/events.yaml, each a typed column
privacy, bots, traits   addresses and search texts without personal data; programs; raw traits for matching
facts, fact_tables      what the service tells of no person, and the tables it is folded into
dedupe                  one event per message_id, conflicts to quarantine: used by the events query; content_hash tells them apart
worker_daemon           the process that Python workers are forked from
"""
