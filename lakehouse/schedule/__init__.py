"""Which job runs when: declared once, run here, or rendered for another scheduler. Starts jobs as processes and imports none.

declaration  conf/schedule.yaml; cron: its times
runner       runs the jobs, one at a time
airflow, databricks  the same schedule in their words
"""
