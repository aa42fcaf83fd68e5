"""Imports: files of a source into the events topic, and tables of others, in Delta or in a database, as such files. Writes no table.

Spark reads tables, because it reads every Delta table and, by JDBC, every database. What it read lies in a folder of Parquet for as long as
the import takes, and goes the way of every file from there: lakehouse/sources/history.py.

reading       what is to be read this time, and where the import stands once it is sent
delta_table   a Delta table: what its commits have added
database      a table or a query of a database, by a column that grows
table_import  all of it, for one table
begun_import  how far an import came that did not end
beside_stream how it waits for a stream that runs
sending       all of it, for files: what is not known is sent
"""
