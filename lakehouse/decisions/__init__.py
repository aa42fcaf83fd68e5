"""What is decided for a visitor, and why: pure, everything read is passed in. Must not import lane, moments, actions, nor any store.

In reading order: `visitor` (who, and the vocabulary of rules filled for them), `offers` (the catalogue), `exposures` (what
was shown, and caps), `circumstances` (who is decided on and under what), `gate` (whether anything may leave to a person, or of one:
one place for all), `experiment_unit` (as whom experiments count somebody), `eligibility`, `decide` (a request and its circumstances -> an offer),
`product_choice` (which products to recommend), `trace` (what happened at each step), `decision_record` (what is kept and logged of
it).
"""
