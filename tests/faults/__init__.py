"""Real faults: the streaming driver killed at every step and at random, and what it stands on taken away. Run by hand: run.py."""
