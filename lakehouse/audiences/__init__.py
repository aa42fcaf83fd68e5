"""Audiences: named sets of profiles. Owns conf/audiences.yaml and the topic of who entered and left. Must not import commands, queries, training.

vocabulary       what a definition may read
declaration      one entry of the file
book             the file -> definitions, checked
kept_audiences   gold.audiences brought up to what is declared
preview          how large each would be, and how much two have in common
telling          whom the readers of the topic were told of, and whom they are to be told of
teller           `telling` put together from configuration

Who is in an audience is kept by lakehouse/profiles/gold/audiences.py, like every table of profiles.
"""
