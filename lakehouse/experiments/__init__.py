"""Experiments: who is in which arm, and what came of it, said so that it can be believed.

In reading order: `definitions` (conf/experiments.yaml), `assignment`, `sample_ratio`, `fixed`, `sequential`, `bayesian`,
`multiplicity`, `adjustment` (CUPED), `readout` (all of it for one log); `off_policy` (a policy nobody has run yet), over
`policy_log` (any file) or `new_policies` (the decision log).
"""
