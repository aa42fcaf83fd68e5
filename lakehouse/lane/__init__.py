"""The lane in milliseconds: which rules an event may set off, told on a topic while the event is still warm."""
