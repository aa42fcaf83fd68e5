"""The main job as one command: broker, events, all queries, training, gold, and a page a person reads."""
