"""Jobs over tables at rest, one file one job.

rebuild         every table of profiles from silver; --check compares
reconcile       a name from before: repairs nothing
households      gold.households
decision_log    silver.decision_log from its topic
experiments     gold.experiment_results, and logs of anybody
import_records  files of a source, sent to the events topic
online_store    the online store filled from gold, or compared
"""
