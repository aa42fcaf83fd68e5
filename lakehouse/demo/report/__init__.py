"""The page a person reads when a run has ended, in reading order.

run                what the run measured itself: counts, phases, micro-batches, truth, training summaries
facts              everything the page says, as frozen values; `gather` reads them from the lake
event_facts, identity_facts, customer_facts    the Spark reads of `gather`, aggregated and bounded
words              figures, dates, reasons and segments in words
charts, plots      pure functions from figures to inline SVG
identity_graph     one drawn identity graph
html               escaping, tables, figures
sections_*         the sections of the page
page               `render(facts)`: the whole page as one string
status             the live line in the terminal while a run goes on
"""
