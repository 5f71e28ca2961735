"""One function a table: read what it is made from, apply the layer's functions, write it.

Here: which days are made again, what is read for them, what is counted on the way. Not here:
what the rows mean (``bronze``, ``silver``, ``gold``, ``models``), how Delta is written
(``lakehouse``), and Dagster (``orchestration``), which calls these functions from its assets.
"""
