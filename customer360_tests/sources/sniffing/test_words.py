"""Headers as people write them, and the roles that they name."""

from __future__ import annotations

import pytest

from customer360.sources.mapping import Columns
from customer360.sources.sniffing.words import ROLES, currency_in, is_named, plain

HEADERS = {
    "order_id": "Order ID|order_id|InvoiceNo|Bestellnummer|Numéro de commande|receipt|Rechnungsnr.",
    "product_id": "StockCode|sku|Lineitem sku|Product ID|Artikelnummer|product|EAN|item_sku",
    "customer_id": "CustomerID|customer_id|Kundennummer|client|user id|card",
    "occurred_at": "Created at|Order Date|Bestelldatum|Date de commande|at|placed|timestamp",
    "amount": "Total|order_total|Grand Total|Summe|Gesamtbetrag|Montant|payment_value|amount",
    "quantity": "Quantity|qty|Menge|Lineitem quantity|Quantité",
    "unit_price": "UnitPrice|unit price|Einzelpreis|Lineitem price|Prix unitaire",
    "refunded": "Refunded Amount|Amount Refunded|refunds",
    "currency": "Currency|currency_code|Währung|Devise",
    "email": "Email|E-Mail|Customer Email|billing_email",
    "postal_code": "zip|PLZ|Billing Postcode|postal_code",
    "marketing_consent": "Accepts Marketing|newsletter|opt_in",
}


@pytest.mark.parametrize(
    ("role", "header"), [(role, one) for role, every in HEADERS.items() for one in every.split("|")]
)
def test_a_header_names_its_role(role: str, header: str) -> None:
    assert any(is_named(header, pattern) for pattern in ROLES[role])


@pytest.mark.parametrize("header", ["Description", "Product name", "notes", "Ship Date", "colour"])
def test_other_headers_name_none(header: str) -> None:
    assert not [role for role, ps in ROLES.items() for p in ps if is_named(header, p)]


def test_every_role_of_words_is_one_of_a_mapping() -> None:
    assert set(ROLES) == set(Columns.model_fields)


def test_headers_are_compared_without_what_differs() -> None:
    assert plain("CustomerID") == plain("customer_id") == plain(" Customer-Id ") == "customer id"
    assert plain("Größe (Straße)") == "groesse strasse"
    assert currency_in("Total (EUR)") == "EUR"
    assert currency_in("Total") is None
