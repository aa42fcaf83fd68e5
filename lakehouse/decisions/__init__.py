"""What is decided for a visitor, and why. Pure: everything read is passed in, nothing is written.

In reading order: `visitor` (who, and the vocabulary of rules filled for them), `offers` (the catalogue), `eligibility`,
`decide` (the order of a decision), `recommend` (products), `trace` (what happened at each step), `remembered` (what is kept
and logged of it).
"""
