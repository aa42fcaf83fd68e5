"""Experiments: who is in which arm, and what came of it. Owns conf/experiments.yaml; imports no decision and reads no table.

definitions          conf/experiments.yaml
assignment           unit -> arm
sample_statistics    what every answer is computed from
sample_ratio         whether the arms are as large as they should be
fixed, sequential, bayesian    three answers to one difference
multiplicity, adjustment       Holm; CUPED
readout              all of it for one log; readout_report: in words and as JSON
log_file             a file of any kind -> units
result_rows          the decision log -> rows of gold.experiment_results
off_policy           what a policy nobody has run would have earned; off_policy_report: in words and as JSON
persons              units of the log -> the profiles they are by now
policy_log, new_policies       decisions to evaluate: from any file, from the decision log
"""
