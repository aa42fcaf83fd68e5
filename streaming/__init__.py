"""The long-running queries, in flow order: bronze_events, events; decisions beside them. profiles and silver_events are other names of events."""
