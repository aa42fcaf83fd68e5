"""The lane in milliseconds: which rules an event may set off, told on a topic while the event is still warm. Must not import moments, actions.

event --projection.py: rows that a rule may hold for--> candidate.py: encode --Kafka: decisions.topic--> Candidate.decode
"""
