"""A source of which most rows are in another currency than its mapping says."""

from __future__ import annotations

from customer360.contracts.reasons import OTHER_CURRENCY
from customer360.contracts.sql import sql_text
from customer360.errors import listed
from customer360.pipeline.workspace import Workspace
from customer360.quoting import shown_code
from customer360.silver.transactions import Accounting
from customer360.sources.base import Source
from customer360.sources.mapped import MappedSource
from customer360.table_names import REJECTED, TRANSACTIONS


def mostly_other(work: Workspace, source: Source, account: Accounting) -> str | None:
    """Why a load must not go on, in one line: fewer than half of the rows are of its currency.

    Asked of all days that have been made, so that a day of few foreign orders stops nothing. None
    where that is not so, and where rates are stated.
    """
    if not isinstance(source, MappedSource) or source.mapping.rates:
        return None
    if 2 * account.excluded.get(OTHER_CURRENCY, 0) <= account.rows_in:
        return None
    own = f"(raw ->> '$.source') = {sql_text(source.name)}"
    counts = work.tables.ask(
        f"""
        SELECT raw ->> '$.currency', count(*) FROM rejected
        WHERE {own} AND list_contains(reasons, '{OTHER_CURRENCY}') GROUP BY ALL ORDER BY 2 DESC, 1
        """,
        rejected=REJECTED,
    )
    ((rows,),) = work.tables.ask(
        f"""
        SELECT count(*) FROM bronze WHERE _event_date IN (
            SELECT business_date FROM rejected WHERE {own}
            UNION SELECT business_date FROM made WHERE source = {sql_text(source.name)}
        )
        """,
        bronze=f"bronze/{source.transactions_table}",
        rejected=REJECTED,
        made=TRANSACTIONS,
    )
    foreign = sum(count for _, count in counts)
    if 2 * foreign <= rows:
        return None
    codes = [shown_code(code) for code, _ in counts]
    return (
        f"{foreign:,} of {rows:,} rows of {source.name} are in {listed(codes)}, where the mapping "
        f"says currency: {source.currency}; write `currency: {codes[0]}` if that is its money, or "
        "`rates:` to convert"
    )
