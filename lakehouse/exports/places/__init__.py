"""Where rows go: databases, webhooks, topics, folders, object stores, behind one contract, `Place`. Imports the mapping, not the engine."""
