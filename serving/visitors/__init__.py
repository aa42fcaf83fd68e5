"""Who is asking: read together, cached, with what was just seen. Decides nothing."""
