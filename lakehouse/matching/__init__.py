"""Probabilistic matching: actors whose traits say that they are one person, though no identifier does. Imports no `profiles`.

fields        traits and their kinds -> the fields two records are compared on
normalise     raw values -> comparable ones, by kind (scripts: alphabets)
records       silver.personal_traits -> one record per described actor
levels        how much two values of a kind agree: SQL that Spark and DuckDB read alike (short_names: Bob is Robert)
blocks        records -> block keys; the pairs that share one
model         what training found: m, u, frequencies, prior, blocking rules
score         a pair of records -> bits of evidence
training      model from records, without labels, in DuckDB (block_rules, splink_start, expectation: parts of it)
accuracy      precision and recall of pairs
block_index   silver.match_blocks where a micro-batch can look it up
refresh       one micro-batch: the actors described anew, matched with old and new
person_file   a file of person records -> identify events (guess: the kinds of its columns)
"""
