"""What is decided for a visitor, and why. Pure: everything read is passed in, nothing is written.

In reading order: `visitor` (who), `context` (the vocabulary of rules, filled), `offers` (the catalogue), `gates`
(consent, suppression, forbidding rules), `eligibility`, `arbitration` (rules, value, bandit), `decide` (the order of a
decision), `recommend` (products), `trace` (what happened at each step).
"""
