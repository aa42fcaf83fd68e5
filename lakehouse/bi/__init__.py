"""What BI tools see: tables and views of the lake in a catalogue, and the server that is asked. Owns conf/views; imports no query, training or export.

views       the questions people ask, a file each
catalogue   tables by their contracts, and views over them, as SQL
registered  that catalogue in a session of Spark, kept up to date
read_only   what a client may say
server      Spark's own server of Thrift and JDBC, on this machine alone
"""
