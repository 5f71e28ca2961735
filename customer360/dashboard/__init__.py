"""The Streamlit app that reads the warehouse, as the role that may only read.

``app`` is what Streamlit runs; ``views`` holds one module a page, ``queries`` all SQL. What people
read is in `customer360.language`. What is computed here is how things are shown; every figure
comes from the warehouse or from the models. Nothing here starts Spark or writes.
"""
