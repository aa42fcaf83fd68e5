"""What the process holds between requests: files read anew, what policies learned, stock, listeners. Must not import deciding or api."""
