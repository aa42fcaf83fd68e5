"""Training and evaluation, one file one job; what they run is in lakehouse/training.

train_segments, train_recommender, train_identity   register a version and make it champion
train_scores                                        registers versions; champions if the gate lets them through
evaluate_identity   any file of person records through the whole path, scored
"""
