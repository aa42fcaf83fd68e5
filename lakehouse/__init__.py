"""The shared package of Stitchlake, in reading order.

errors, config        what can go wrong; the one reader of configuration
tables, flow          the contract of every table; their order
session, io, lock     Spark session, Delta reads and writes, one writer for each table of a local lake
events/               Kafka record -> accepted event or quarantined record
local_index           what a micro-batch looks up in place of a scan; table_index: of one table each
identity/             actors and identifiers -> profiles
profiles/             accepted events -> activity, orders, RFM, activation: the `profiles` query
models/               registry, features, segments, scores
sources/, broker      demo data; the local Kafka broker
report/               the page a person reads
"""
