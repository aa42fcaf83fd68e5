"""What an event tells besides what it says: where a visitor came from, on what device, and who the visitor is. Imports no Spark."""
