"""HTTP and WebSocket: what a request may say, and what it is answered with. Decides nothing; must not import background."""
