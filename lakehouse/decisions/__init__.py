"""What is decided for a visitor, and why. Pure: everything read is passed in, nothing is written.

In reading order: `visitor` (who, and the vocabulary of rules filled for them), `offers` (the catalogue), `exposures` (what
was shown, and caps), `eligibility`, `decide` (the order of a decision), `streamed` (a rule that the stream proposes),
`recommend` (products), `trace` (what happened at each step), `remembered` (what is kept and logged of it).
"""
