"""Actors and identifiers -> profiles. Owns the graph, its solution, and overrides; imports no `profiles` and nothing after it.

Pure, pandas and numpy on the driver, in reading order:

identifier           a type and a token
graph                edges and actors as integer codes; connected components
hubs                 identifiers that too many carry, and whom they still link
solve                the rule: which profile every actor belongs to, as a pure function of the set of edges
limited_union        the union-find of the few components where a limit can bite
matches, linkage     likely pairs as identifiers; how they join profiles
changes              two answers of `solve` -> rows of silver.identity_log, and back
history              the log, or moves on the map -> rows of silver.identity_history
touched_components   one micro-batch: the components it touches in, the changed rows out
rules_fingerprint    whether the rules have changed, and which stored identifiers count no longer
overrides            link, unlink, block: facts that change what `solve` sees
contradictions       which overrides cannot all be meant
override_requests    what people ask for, and which of it becomes effective

What is looked up beside the driver:

index                the stored graph where a micro-batch can look it up
stored_hubs          the hubs of the stored graph, once a micro-batch is in
reach                the components a micro-batch reaches, from the index
owners               the identifiers of a profile, and whose an identifier is
override_store       silver.identity_overrides, and the requests that wait for the stream
evidence             why an identifier resolves to its profile: the chain that `whois` prints
"""
