"""What came of decisions, and what the policy makes of it: every exposure counts once, when its time is over.

reward              which outcome is a reward, and what an exposure is worth
exposure            a decision that was shown: what is kept of it, for how long, and when it is counted
learned_store       the policy's sums in the online store, and the exposures that wait to be counted
lifetime            exposures that count for life
logged_exposures    the same exposures and outcomes, as the decision log tells them
"""
