"""How each model is trained on a lake and published. The jobs of ml/ and the demo call these; nothing that serves imports them."""
