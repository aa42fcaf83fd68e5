"""Uplift: what each arm would give each person, learned from a log of chances, and who should get which. Reads no table.

experiment_log     a frame of any kind -> rows of arm, reward, propensity, features
encoding           features of any kind -> columns and codes
trees              boosted trees of two levels for several outputs
response_model     constant, lines, pairs, trees: contenders, and their blend
scores             doubly robust scores: what every arm would have given every row
chain              learning forwards: every row scored and given its arm by models of the rows before
evidence           whether a policy is better than giving everybody the same
curve              the uplift curve
policy             who gets which arm, as plain values
targeted           to whom a policy gives what, in words
study              all of it for one log; report: in words and as JSON
"""
