"""Sources: a declared mapping from any record onto the event document that the one parse reads. Owns conf/sources/.

Writes no table, and imports no Spark: a mapping is a plain function of a record, the same in a stream's worker and in an import.

place               where something lies in a record
fields              the declared fields of a record, read as the types of the rules' language
declaration         conf/sources/<name>.yaml, checked
expressions         its expressions, in the language of the rules
mapping             a record -> its event document, or why there is none
source              a declared source: its mapping and how its files are read
record              one record, and its fingerprint
tables_of_text      CSV and its kin -> records
avro                Avro, in single records and in files -> records
registered_records  messages that begin with the id of their schema -> records
record_files        any file -> records
examination         what of a sample maps, field by field
known_messages      what the lake and the topic have already
history             files -> messages for the events topic, each once
"""
