"""Fairness: who is chosen and who is not, by group. Plain numpy; reads no table.

audit        selection, mistakes and calibration by group, and how far groups are apart
correction   a threshold for each group, so that all are chosen alike; what that costs
"""
