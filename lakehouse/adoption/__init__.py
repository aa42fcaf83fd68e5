"""Adoption: files nobody described -> a proposed source, with its evidence, and what nobody can tell from the files. Imports no Spark of its own.

Pure but for reading the files: the command asks, writes and imports (lakehouse/commands/adopt.py).

file_layout      what stands between the cells, and whether there is a header
shapes           what the texts of a column can be read as: numbers, times
table            counts of every column of a file
column_names     what names of columns say, in English, German and some others
co_occurrence    what goes together with what: rows of one order, ids and addresses
draft            a proposal while it is made: fields, evidence, questions
times, people, money, order_key, worth, orders, event_names, kept, kinds   the parts of a proposal
declared         a proposal -> conf/sources/<name>.yaml
known_sources    a declared source that reads the file already
adopt            all of it, for the files of one kind
report           what became of every column
"""
