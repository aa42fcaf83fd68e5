"""Training and evaluation, one file one job; what they run is in lakehouse/training.

train_segments, train_scores, train_lifetime_value, train_recommender, train_identity   register a version and make it champion
drift, fairness     look at what comes in, and at who is chosen
evaluate_identity   any file of person records through the whole path, scored
"""
