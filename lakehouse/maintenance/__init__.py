"""Tables kept in shape: small files put together, files and log that nobody needs any more deleted. Imports no table by name.

upkeep              the maintenance of some tables, a little at a time, between the batches of whoever writes them
local_table         one table on this machine, by delta-rs; log_files: its log
spark_table         one table anywhere else, by Spark
stream_checkpoints  what Spark leaves in the checkpoints of streams
tended              what was done
"""
