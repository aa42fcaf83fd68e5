"""Topics in and out of the process. Knows no message, and must not import another room."""
