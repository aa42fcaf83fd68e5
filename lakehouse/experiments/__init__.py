"""Experiments: who is in which arm, and what came of it. Owns conf/experiments.yaml; imports no decision.

definitions, metrics    conf/experiments.yaml
assignment           unit -> arm
estimates            mean, quotient, quantile: a value, and how much each person moves it; adjustment: CUPED on it;
                     arm_estimates: of a declared metric, by arm
sample_statistics    what every answer is computed from
fixed, sequential, bayesian    three answers to one difference; multiplicity: Holm
sample_ratio, balance, sticky  what blocks: arms of the wrong size, arms that were not alike before, people in two of them
readout              all of it for one log; readout_report: in words and as JSON
log_file             a file of any kind -> units
exposure_log, persons          the decision log -> who was told which arm, by person
metric_sources       tables -> what each exposed person did before and after
result_rows          -> rows of gold.experiment_results
lake_readout         a lake's experiments, read out; lake_history: its past, to plan with
power                what an experiment of a size could find
off_policy           what a policy nobody has run would have earned; off_policy_report: in words and as JSON
policy_log, new_policies       decisions to evaluate: from any file, from the decision log
"""
