"""The book of features: conf/features.yaml as checked definitions. Owns the file and its words; imports no table of profiles.

vocabulary     what a filter or a value may read
declaration    one entry of the file
book           the file -> lakehouse/features/definition.py: Features
"""
