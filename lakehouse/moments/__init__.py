"""Moments: what becomes due because time passed and something did not happen, such as an abandoned cart.

    message --events.py--> MomentEvent --machine.py: step--> VisitorState, a set of facts (state.py)
    a timer wakes --runner.py: facts of all identifiers of the person--> machine.py: fire --> Moment

What a visitor's episodes are is a pure function of the set of facts (episodes.py), so order, batches and replays do not matter.
"""
