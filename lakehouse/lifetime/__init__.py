"""Lifetime: how often somebody will buy, whether they still do, and what that is worth. Plain numpy and scipy; reads no table.

histories        orders -> how often, how lately, for how long known, for how much
bg_nbd           buying until one leaves: expected orders, and the chance that somebody still is a customer
gamma_gamma      what an order of somebody is worth
forecast_quality how good a forecast of orders was, beside rules that need no model
lifetime_value   both together: what the orders of a horizon are worth today
"""
