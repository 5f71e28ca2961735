"""What belongs here: one data contract a table, and the code that turns contracts into something.

``<layer>/<table>.odcs.yaml`` is the one place that states a table's columns (Open Data
Contract Standard). From it come the Spark schema (`customer360.contracts.spark`), the
single-pass row check (`customer360.contracts.checks`), what binds every write to it
(`customer360.contracts.binding`) and the data model's documentation
(`customer360.contracts.documentation`); elsewhere PostgreSQL's types, the dbt models' columns and
Dagster's schemas and checks. Nothing here reads or writes a table, and nothing here knows Dagster.
Importing this package does not import Spark.

A **bronze** contract states the source's columns as text and what that text must parse as.
Put this in ``bronze/<source>_<table>.odcs.yaml``::

    apiVersion: v3.2.0
    kind: DataContract
    id: bronze-shop-orders
    name: Shop orders as received
    version: 1.0.0
    status: active
    team:
      name: data-engineering            # the owner; required
    schema:
      - name: shop_orders
        physicalName: bronze/shop_orders   # layer/table; must match folder and file
        physicalType: table
        logicalType: object
        description: Orders of the shop as it sent them.
        dataGranularityDescription: one row of the daily file
        customProperties:
          - property: delivery          # daily: partitioned by _delivered_on; or extract
            value: daily
          - property: eventTime         # optional: gives _event_date
            value: ordered_at
          - property: indexedColumns    # optional; bookkeeping columns may be named; not
            value: [_event_date]        # the partition column
        quality:                        # optional: rules in words, for the documentation
          - type: text
            description: An order is sent again when its status changes.
        properties:
          - name: order_id
            logicalType: string
            physicalType: string        # always string in bronze
            required: true              # missing or blank breaks the row
            description: The shop's number of the order.
            logicalTypeOptions: {maxLength: 32, pattern: "^[A-Z0-9-]+$"}
          - name: ordered_at
            logicalType: timestamp      # or date
            physicalType: string
            required: true
            description: When the order was placed, in the shop's time zone.
            logicalTypeOptions:
              format: "yyyy-MM-dd HH:mm:ss"     # Spark's date-time pattern
              minimum: "2010-01-01 00:00:00"    # quoted
          - name: amount
            logicalType: number         # or integer, boolean
            physicalType: string
            required: true
            description: What the customer paid.
            logicalTypeOptions: {minimum: 0}    # also maximum, exclusiveMinimum, ...Maximum
            customProperties:
              - property: unit
                value: BRL
          - name: currency
            logicalType: string
            physicalType: string
            description: Currency of the amount.
            enum:                       # allowed values, compared after trimming
              - value: BRL
          - name: email
            logicalType: string
            physicalType: string
            classification: personal    # marks personal data; quasi-identifier: a text that tells
                                        # who somebody is where few share it; identifier: an
                                        # order's own id
            description: E-mail address of the customer.
            logicalTypeOptions: {maxLength: 254, format: email}

The row then breaks with reasons such as ``order_id:required``, ``amount:type``,
``amount:minimum``, ``ordered_at:format`` (a date or timestamp that does not read in the
*stated* format; without a stated format it is ``ordered_at:type``), ``email:format``,
``order_id:pattern``, ``order_id:max_length``, ``currency:allowed_values``, and
``row:malformed``. A blank optional value breaks nothing, and a value that does not parse
breaks no other rule. Quote what YAML would read as something else: dates, NO, 0123.
Properties that the standard does not know, or that nothing would check, are refused.

A **gold** table that is made as of a date states what it is made of in the custom property
``reads`` (a list of ``layer/table``); its module does the rest: see `customer360.gold`.
"""

from customer360.contracts.contract import (
    BOOKKEEPING,
    MONEY,
    MONEY_IN,
    PERSONAL,
    QUASI_IDENTIFIER,
    ROW_IDENTIFIER,
    SET_ASIDE,
    Bookkeeping,
    Column,
    Contract,
    ContractError,
    packaged_tables,
)

__all__ = [
    "BOOKKEEPING",
    "MONEY",
    "MONEY_IN",
    "PERSONAL",
    "QUASI_IDENTIFIER",
    "ROW_IDENTIFIER",
    "SET_ASIDE",
    "Bookkeeping",
    "Column",
    "Contract",
    "ContractError",
    "packaged_tables",
]
