"""HTTP and WebSocket: what a request may say and how it is answered. Decides nothing."""
