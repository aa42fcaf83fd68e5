"""The lane in milliseconds: which rules an event may set off, told on a topic at once. Must not import moments, actions.

event --projection.py: the rules it may set off--> candidate.py: encode --Kafka: decisions.topic--> Candidate.decode
`query` starts the streaming query, `query_keeper` restarts it when `rules` change.
"""
