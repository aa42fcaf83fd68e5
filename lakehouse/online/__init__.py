"""The online store: its contract, its two engines and what is kept in it. Decides nothing; imports no rule and no decision.

store                the contract: documents, timelines, claims
lmdb_store           the engine of one machine (lmdb_layout: its bytes; lmdb_environment: its files)
redis_store          the engine of several machines
store_state          how much of gold the store holds
profiles             the document of one profile
content, micro_batch gold -> documents: all of them, and those a micro-batch touched
change_publisher     which profiles changed, told on a topic
fact_documents       facts of no person: told to the service, or filled from the lake
recent_entries       a message -> entries of its visitor's timelines
recent_behaviour     those entries -> columns of the rule vocabulary
"""
