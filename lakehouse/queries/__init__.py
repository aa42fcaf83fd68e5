"""The long-running queries, put together: what reads the topic and keeps the lake. Jobs, demo and trials start them from here.

bronze_events    Kafka -> bronze.events
events           Kafka -> silver.events and what belongs to it, every table of profiles, the online store
known_records    what silver has of the topic when a checkpoint is begun
silver_writes    what events does for silver.events
driver           both in one driver
"""
