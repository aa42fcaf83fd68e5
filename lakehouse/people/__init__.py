"""A person as the lake holds them: found by any identifier, handed over, erased."""
