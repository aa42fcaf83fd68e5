"""What to show a visitor next. Owns the recommender's files; imports no `online`. What serving imports needs numpy and orjson only.

interactions    what a visitor did with products, and how much each of it says
fold_in         factors of a visitor by one ridge solve, without retraining
model           a trained recommender as arrays
files           those arrays in a folder, checked when read; which folder is current
scoring         a history -> scores of every product
recommender     history of a visitor -> proposals with their reasons

For training only:
interaction_table   interactions and products as numbers
repurchase      which products are bought again, and how long after
als             factors of products by implicit alternating least squares
neighbours      products that go together: in sessions and profiles, and in orders
ranking         Recall and NDCG of ranked lists
variety         coverage, Gini, diversity and popularity of lists
training        interactions -> a model
ease            a linear model in closed form, as a yardstick
holdout         the people of a slice of time, and how well lists do for them
contest         which settings win on one slice of time, and how well their scores do on the next
products        events -> gold.products
history         the lake -> interactions
"""
