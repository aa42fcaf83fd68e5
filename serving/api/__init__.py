"""HTTP routes: how a request reaches what answers it. Decides nothing; must not import background."""
