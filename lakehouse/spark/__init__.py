"""Spark: the session and how streaming queries start, run and end. Imports no table and no event.

properties  conf/spark-*.conf, read without Spark
session     the one session of a process; opened_lake: a lake that is to be written, in one
java_names  classes of the JVM that Python names, found once
log_lines   what a job writes into its log, text or JSON
restarts    whether what failed is tried again, and when
streams     the queries of one driver: their triggers; started, awaited, stopped together
scratch     a lake and a broker of their own, for as long as something is measured
"""
