"""Drift: whether what comes in now is as it was. Plain numpy and scipy; reads no table.

bins            values of any kind -> counts of a reference and of now, over the same bins
shift           two rows of counts -> how far apart, and how likely by chance
calibration     what was predicted, and what came of it -> whether predictions are still true
verdicts        many of these at once -> which are drift, at a stated rate of false alarms
"""
