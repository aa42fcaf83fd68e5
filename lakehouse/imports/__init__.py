"""Imports: tables of others, in Delta or in a database, as files that a source reads. Writes no table.

Spark reads them, because it reads every Delta table and, by JDBC, every database. What it read lies in a folder of Parquet for as long as
the import takes, and goes the way of every file from there: lakehouse/sources/history.py.

reading       what is to be read this time, and where the import stands once it is sent
delta_table   a Delta table: what its commits have added
database      a table or a query of a database, by a column that grows
table_import  all of it, for one table
"""
