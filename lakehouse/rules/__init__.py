"""Rules: SQL expressions over a documented vocabulary, the same text in the stream and in the decision API.

In reading order: `vocabulary` (what a rule may read), `operators` (what it may do with it, each once, for Python and for
Spark side by side), `parse` (text -> checked `Expression`), `evaluate` (in Python), `column` (in Spark), `book`
(conf/rules.yaml), `command` (./spark-submit.sh rules check|test).
"""
