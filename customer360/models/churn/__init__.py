"""Churn: of the customers active on a day, who will buy nothing in the days that follow.

The definition (non-contractual): a customer with a purchase in ``(D - activity, D]`` is active at
D, and has churned if there is none in ``(D, D + horizon]``. Features are those of
``gold/customer_features`` at D, labels only what came after D, and every date a model learns from
has a horizon that ended before the test date's features were taken (see `windows.as_of_grid`).

The model is XGBoost, in process on a bounded sample or on Spark on all rows; where the history
cannot teach one, a stated fallback takes its place: the hiatus rule, or the base rate.

Here belongs what is only about churn: its declaration (``spec``), and one module a step: rows,
features, fitting, judging, model, scoring, explanation, and the training that calls them in order.
"""
