"""Uplift: what each arm would give each person, learned from a log of chances, and who should get which. Reads no table.

experiment_log     a frame of any kind -> rows of arm, reward, propensity, features
learned_encoding   features of any kind -> how they become columns and codes
tree_growth        boosted trees of two levels for several outputs
contenders         constant, lines, pairs, trees, and their blend
scores             doubly robust scores: what every arm would have given every row
chain              learning forwards: every row scored and given its arm by models of the rows before
evidence           whether a policy is better than giving everybody the same
curve              the uplift curve
targeted           to whom a policy gives what, in words
study              all of it for one log; report: in words and as JSON
"""
