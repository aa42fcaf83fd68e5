"""Delta reads and writes of one lake, and what makes them safe and fast. Knows contracts; imports no table by name.

delta        every read and write, by contract
migration    how tables follow their contracts
delta_rs     the writer of a lake on this machine
transaction  what a table takes once
retention    how long what a table was stays readable; maintenance_note: commits that change no row
beginnings   from which day on the rows of a table are all there, where those of before have gone by age
change_feed  which rows the commits of a table set and removed
time_order   files in the order of a time, so that setting rows reads few of them
lock         one writer for each part of a local lake
folders      small text files beside the tables
local_index  LMDB beside the driver; table_index: of one table, held to its version
"""
