"""Rules: SQL expressions over a documented vocabulary, the same text in the stream and in the decision API. Owns conf/rules.yaml.

Imports no table and no decision.

vocabulary    what a rule may read
literals      values of a rule's types
signatures    which operators take and give which types
operators     what each does, once, for Python and for Spark side by side
expression    a checked rule
parse         text -> `Expression`
evaluate      in Python
column, frame in Spark
book          conf/rules.yaml
"""
