"""The main job as one command: broker, events, queries, training, gold, and a page a person reads. Nothing else imports it.

sources              what can be sent, by name: shop/ (simulated, truth known), datasets/ (real purchases)
fresh_lake, drain    an empty lake; the topic read to its end
truth, evaluation    who is whom in the shop; how well the profiles say so
freshness            how long records take to gold
report/              the page; closing_page: it is written
main                 all of it, in order
"""
