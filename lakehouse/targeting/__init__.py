"""A targeting policy: who gets which arm, from plain values. Evaluates only; lakehouse/uplift learns. Reads no table, imports no Spark.

policy           the arm of every row
response_model   a constant, a line, pairs, trees: what a model says of people; trees: the trees of it
encoding         features of any kind -> columns and codes; columns: a frame's columns as numbers and names
contrasts        the coordinates of effects
"""
