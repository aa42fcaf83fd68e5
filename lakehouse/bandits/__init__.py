"""Policies that learn from what came of their own choices. Owns no storage; imports nothing of ours but `errors`. numpy only.

choice     what a policy answers: an arm, and with which probability it was chosen
best       how likely each arm is the best
thompson   Thompson sampling for rewards without a context
linucb     linear upper confidence bounds for rewards with a context
state      one policy with all it has learned; goes through JSON
learned    a state, and up to which exposure it has counted: each counts once
"""
