"""What is held about a person, and forgetting them: in every table, file and database of a home.

Here is what reaches over all the other packages. What a forgotten person's row becomes is a matter
of bronze (`customer360.bronze.forgetting`); how a table's history goes, of the lakehouse
(`customer360.lakehouse.history`).
"""
