"""The Spark session and the Delta tables: the only writer of the lakehouse.

Here: resolving the Delta jars, building and checking the session, reading, replacing and merging
tables. Not here: what a table means (``silver``, ``gold``) or when it is made (``orchestration``).
"""
