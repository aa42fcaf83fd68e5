"""Accepted events become profiles. Owns every table of profiles the `events` query keeps; imports no model and no online store.

declaration    how a table of profiles is declared
leaf           events -> one leaf row per actor and UTC day (streaming and batch alike)
silver/        leaf rows -> a table each
stitching/     the identity graph in the lake
rollup         leaf tables and identity map -> figures per profile
scores         the scores there are
gold/          a table each, from what it reads
tables         all of them, in flow order
derivation     gold from silver: each transform handed what it reads
gold_writes    the rows set, removed, closed and opened
change_log     which profiles that changed, told once
micro_batch    the order in which one micro-batch does all of it
rebuild, check, repair    the same in one batch; what differs; all of it set right
"""
