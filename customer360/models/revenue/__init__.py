"""Revenue, the supervised lifetime value: what a customer will bring in the days ahead.

Learnt from a customer's first order (category, payment, instalments, freight, delivery, review,
channel, state) and the buying since, as they were known at an as-of date D; the target is the net
revenue in ``(D, D + horizon]``, refunds deducted. Where the lifetime-value models assume how
customers buy, this one assumes nothing and must see enough of them; it is chosen among a mean, a
line and two kinds of trees on a date that none has learnt from, and the mean may win.

Here belongs what is only about predicting revenue: its declaration (``spec``), and one module a
step: features, rows, fitting, judging, model, reasons, scoring, explanation, the prediction of a
user's own file, and the training that calls them in order.
"""
