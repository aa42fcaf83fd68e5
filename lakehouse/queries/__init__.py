"""The long-running queries, put together: what reads the topic and keeps the lake. Jobs, demo and trials start them from here.

bronze_events    Kafka -> bronze.events
silver_events    Kafka -> silver.events and its quarantine
profiles         Kafka -> every table of profiles, the online store
late_events      what came behind the watermark of profiles, by way of silver
driver           several of them in one driver
"""
