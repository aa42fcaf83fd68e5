"""Actors and identifiers -> profiles: the pure identity core, pandas and numpy on the driver, in reading order.

graph       edges and actors as integer codes; connected components
solve       the rule: which profile every actor belongs to, as a pure function of the set of edges
contested   the union-find of the few components where a limit can bite
changes     two answers of `solve` -> rows of silver.identity_log, and back
history     the log, or moves on the map -> rows of silver.identity_history
touched     one micro-batch: the touched components in, the changed rows out
index       the stored graph where a micro-batch can look it up (records, lookup: what it keeps, and how)
reach       the components a micro-batch touches, from the index
blocked     whether the rules have changed, and which stored identifiers count no longer
"""
