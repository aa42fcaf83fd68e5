"""Exports: gold kept up to date in somebody else's system, under the one gate. Must not import commands, queries, training.

conf/exports.yaml --declaration.py--> what, of which key, to where
gold --source.py: disowned.py: telephones.py: mapping.py: keys.py--> rows as they are mapped, each with its key and a hash
rows + what the destination has (ledger.py) + whom nothing may be told of (permission.py) --difference.py--> what to send, what to remove
gold --feed.py--> who may have changed --continuous.py: owed.py: position.py--> the same, of these alone, within seconds
run.py: rows claimed in the journal, permitted one by one, handed to a place (places/), and settled in the journal: batch by batch (batch_run.py), or
all at once (whole_run.py)
shapes/: request bodies as vendors ask for them. No Spark: pyarrow, DuckDB and delta-rs
"""
