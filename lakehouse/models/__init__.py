"""What models know of profiles. Owns the registry and what a champion says; imports nothing that serves.

segments        RFM rows -> quintile scores and a segment, from stored parameters
segment_names   what a segment does on average -> its name in words
trees           gradient-boosted trees as plain values and as one column expression
score_model     features -> calibrated purchase propensity, from stored parameters
value_model     features -> lifetime value, from stored parameters
policy_model    features -> the offer a targeting policy gives, from stored parameters
registry        where models are kept, which of them is champion

For training only:
examples        features at past cut-offs with what happened after them
propensity      the two contenders for the purchase score
evaluation      proper scores, calibration and intervals on collected predictions
judgement       which contender becomes champion, and how good it is
cluster_quality how good and how steady clusters are
kept_names      clusters of two trainings -> a segment of the same people keeps its name
publish         a trained pipeline and its parameters become the champion
"""
