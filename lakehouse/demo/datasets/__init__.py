"""Where the demo's events come from: `shop` (simulated, truth known), `cdnow` and `completejourney` (real purchases)."""
