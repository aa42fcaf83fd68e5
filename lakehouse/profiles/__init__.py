"""Accepted events become profiles, in reading order.

money         amounts in the default currency
activity      events -> one leaf row per actor and UTC day (streaming and batch alike)
orders        leaf rows -> silver.orders
traits        leaf rows -> silver.personal_traits (trait_index: where it is looked up)
rollup        leaf tables + identity map -> one wide row per profile
gold          wide rows -> gold.rfm, segments, scores, activation
micro_batch   the order in which one micro-batch writes all of it
"""
