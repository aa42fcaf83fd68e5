"""The online store: its contract, its two engines and what is kept in it. Decides nothing; imports no rule and no decision.

store                the contract: documents and timelines; engines: the one that its URL names, opened
lmdb_store           the engine of one machine (lmdb_layout: its bytes; lmdb_environment: its files; lmdb_timelines)
redis_store          the engine of several machines (redis_place: its URL; redis_scripts: what it runs; redis_cluster: by slots)
store_state          how much of gold the store holds
online_profile       the document of one profile
content, online_step gold -> documents: all of them, and those a micro-batch touched
change_publisher     which profiles changed, told on a topic
fact_documents       facts of no person: told to the service, or filled from the lake
recent_entries       a message -> entries of its visitor's timelines
recent_behaviour     those entries -> columns of the rule vocabulary
"""
