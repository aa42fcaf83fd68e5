"""The book of features: conf/features.yaml as checked definitions. Owns the file, its words, and what a lake notes of it.

vocabulary     what a filter or a value may read
declaration    one entry of the file
rule_words     those of them that rules may read
kept_features  which of them a lake keeps, and of which it has all of history
book           the file -> lakehouse/features/definition.py: Features
"""
