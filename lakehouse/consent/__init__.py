"""What people said of consent: the ledger of their statements, and which of them holds. It imports nothing that decides, sends or serves.

defaults     what holds where nobody was asked, by jurisdiction
standing     which statement holds for a person, through merges and splits: the rule, in plain Python
rulings      the rule, asked by gold of the profiles whose actors contradict each other
ledger       rows of silver.consent
"""
