"""Sources: a declared mapping from any record onto the event document that the one parse reads. Owns conf/sources/.

Writes no table, and imports no Spark: a mapping is a plain function of a record, the same in a stream's worker and in an import.

place               where something lies in a record
own_names           what a record says under names of the sender's own
fields              the declared fields of a record, read as the types of the rules' language
webhook             by which signature its records are known that come by HTTP
imputation          what stands in for a field that says nothing, where it is declared
declaration         conf/sources/<name>.yaml, checked
expressions         its expressions, in the language of the rules
identification      who a record is of
mapping             a record -> its event document, or why there is none
source              a declared source: its mapping and how its files are read
record              one record, and its fingerprint
tables_of_text      CSV and its kin -> records
avro                Avro, in single records and in files -> records
parquet             files and folders of Parquet -> records
json_values         files of JSON -> their values
registered_records  messages that begin with the id of their schema -> records
record_files        any file -> records
column_profile      what a column looks like, without its values
people_report       what a file of people is like: repeats, gaps, outliers
examination         what of a sample maps, field by field
digests             a set of digests, asked for many at once
message_ids         the id of a message as silver.events shows it
drafts              records -> what they are as messages, if they are not known
drafting_processes  the same, by processes of their own
known_messages      what the lake and the topic have already
history             files -> messages for the events topic, each once
"""
