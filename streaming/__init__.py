"""The long-running queries, in flow order: bronze_events, silver_events, profiles; decisions beside them."""
