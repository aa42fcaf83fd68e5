"""What is decided for a visitor, and why. Pure: everything read is passed in, nothing is written. Must not import lane, actions, moments.

In reading order: `visitor` (who, and the vocabulary of rules filled for them), `offers` (the catalogue), `exposures` (what
was shown, and caps), `circumstances` (who is decided on and under what, and what silences a decision: one place for all),
`eligibility`, `decide` (one request and its circumstances to an offer), `recommend` (products), `trace` (what happened at each
step), `remembered` (what is kept and logged of it).
"""
