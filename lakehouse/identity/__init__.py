"""Actors and identifiers -> profiles: the pure identity core, pandas and numpy on the driver, in reading order.

graph       edges and actors as integer codes; connected components
solve       the rule: which profile every actor belongs to, as a pure function of the set of edges
contested   the union-find of the few components where a limit can bite
changes     two answers of `solve` -> rows of silver.identity_log, and back
touched     one micro-batch: the touched components in, the changed rows out
"""
