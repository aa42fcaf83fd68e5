"""Jobs over tables at rest: rebuild (compute everything from silver; check), reconcile (repair what late events left)."""
