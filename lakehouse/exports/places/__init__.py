"""Where rows go: databases, webhooks, topics, folders, behind one contract, `Place`. Imports the mapping, not the engine."""
