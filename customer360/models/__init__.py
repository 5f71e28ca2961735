"""The models: who comes back, who leaves, what they will spend, and how well we know it.

Here belongs everything from features to scores: choosing windows, fitting, evaluating beside
naive baselines, plotting, tracking in MLflow. Each model has a package of its own, whose ``spec``
declares it (`ModelSpec`), and a line in ``registry``, the only list of models; what is of no one
model lies beside the packages. Every ``train`` takes Spark DataFrames of history and returns a
`Training` with the model, its parameters, metrics, plots, and why a fallback stands in where one
does; every ``score`` takes features and returns the gold table's rows.

Nothing here knows Dagster, writes a table or reads the environment. Only bounded data reaches
the driver: counted cells, histograms, or a sample with a stated limit.
"""
