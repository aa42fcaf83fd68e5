"""Training and evaluation, one file one job; what they run is in lakehouse/training.

train_segments, train_recommender, train_identity   register a version and make it champion
train_scores                                        registers versions; champions if the gate lets them through
train_lifetime_value                                registers a version; champion where it beats what needs no model
drift, fairness                                     look at what comes in, and at who is chosen
evaluate_identity   any file of person records through the whole path, scored
"""
