"""Whether rows are as their tables' contracts expect them. Imports no table but ops.data_quality; whoever has rows has them counted.

counts        rows that expectations concern, and rows that break them: by Spark, in a job that runs anyway, or on the driver
windows       counts of micro-batches, added up until they are many enough to judge; the rows of ops.data_quality
volume        whether as many rows came in an hour as usual
data_quality  keeps ops.data_quality, and stops a query
"""
