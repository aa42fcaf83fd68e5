"""Moments: what becomes due because time passed and something did not happen, such as an abandoned cart. Must not import lane.

message --fact_reader.py--> Fact --transitions.py: step--> VisitorState, a set of facts (state.py)
a timer wakes --detector.py: facts of all identifiers of the person--> transitions.py: fire --> Moment --moment_actions.py--> actions

`state_store` keeps states and timers. What a visitor's episodes are is a pure function of the set of facts (episodes.py), so
order, batches and replays do not matter.
"""
