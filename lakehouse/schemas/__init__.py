"""Registered schemas: asked of a schema registry by Confluent's protocol, once each, and kept in the lake. Owns <lake.root>/_schemas.

Imports no Spark: a worker of Spark, an import and the background process look schemas up alike.

schema         what a registry has under an id
registry       asks it
kept_schemas   the files in the lake
known_schemas  remembered, else kept, else asked for
"""
