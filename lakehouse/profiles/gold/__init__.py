"""What is known of a profile: one module a table, with its contract, what it reads and its transform."""
