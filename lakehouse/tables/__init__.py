"""What a table is: contract, lineage. Owns grain, key, columns and owner; imports nothing of ours but `errors` and `config`.

contract    Table and Column
events, silver, matching, overrides, gold, decisions    the contracts, by who keeps them
lineage     the order of the tables, from what each reads
"""
