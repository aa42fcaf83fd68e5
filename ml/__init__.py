"""Training, in the order of the demo. Each job reads the lake, registers a version and makes it champion.

train_segments   gold.rfm -> K-means segments and quintile cut points
train_scores     activity and orders -> calibrated purchase propensity
"""
