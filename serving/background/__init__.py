"""What nobody waits for: recent behaviour, moments, rules of the stream, actions; a process of its own. Must not import api or app."""
