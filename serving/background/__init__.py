"""What nobody waits for: recent behaviour, moments, rules of the stream, actions. A process of its own: python -m serving.background."""
