"""What models know of profiles. Owns the registry and what a champion says; imports nothing that serves.

segment_model   RFM rows -> quintile scores and a segment, from stored parameters
placing         groups with names -> the column that says who is in which
prospect_segments profiles without an order -> a segment
segment_path    in which segment a profile is as time passes, and until when
segment_names   what a segment does on average -> its name in words
trees           decision trees as plain arrays
score_model     features -> a calibrated probability, from stored parameters
value_model     features -> lifetime value, from stored parameters
policy_model    features -> the offer a targeting policy gives, from stored parameters
registry        where models are kept, which of them is champion
aliases         promotion and rollback

For training only:
examples        features at past instants with what happened after them
candidates      the kinds of models for a score, fitted
evaluation      proper scores, calibration and intervals on collected predictions
judgement       which candidate is chosen, and how good it is
cluster_quality how good and how steady clusters are
kept_names      clusters of two trainings -> a segment of the same people keeps its name
gate            what a challenger must show to become champion
model_card      all of it for a person
publish         a trained model becomes a registered version
"""
