"""A record read by Spark SQL alone, for Real-Time Mode, which takes no Python: what lakehouse/events reads, as far as a rule of the lane asks for it."""
