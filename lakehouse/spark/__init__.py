"""Spark: the session and how streaming queries start, run and end. Knows no table and no event.

properties  conf/spark-*.conf, read without Spark
session     the one session of a process
triggers    when a query's next micro-batch starts
streams     the queries of one driver, started, awaited, stopped together
scratch     a lake and a broker of their own, for as long as something is measured
"""
