"""What a table is: contract, lineage. Owns grain, key, columns and owner; imports nothing of ours but `errors` and `config`.

contract    Table and Column
events, facts, identity, decisions    contracts that several parts of the flow share; every other table is declared where it is made
lineage     the order of the tables, from what each reads
"""
