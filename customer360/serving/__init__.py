"""What leaves the lakehouse: the PostgreSQL warehouse, its dbt marts, campaign lists.

Belongs here: where the warehouse is, publishing tables to it whole or not at all, the dbt project,
exports. Does not: how the figures are computed (`gold`, `models`), or when (`orchestration`).
"""
