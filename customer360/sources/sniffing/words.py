"""Words by which people name columns and states, in the languages that shops' exports come in.

A header is compared as `plain` makes it: ``CustomerID``, ``customer_id`` and ``Customer ID`` are
one. In the patterns a blank may be missing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from customer360.contracts.attributes import customer_attributes
from customer360.contracts.numbers import SIGNS_OF

_ORDER = (
    "(order|invoice|receipt|transaction|sales?|purchase|booking|document|voucher|ticket|basket|"
    "bestellung|bestell|auftrags?|rechnungs?|beleg|commande|facture|pedido|fatura|factura|"
    "ordine|fattura|bon|bestelling|faktura|zamowienie)"
)
_NUMBER = "(id|ids|no|nr|num|number|nummer|numero|nro|code|ref|reference|key|uid|uuid)"
_CUSTOMER = (
    "(customer|client|buyer|shopper|member|user|account|contact|consumer|card|loyalty card|kunden?|"
    "acheteur|cliente|klant|kund|klient|consumidor)"
)
_OF_CUSTOMER = f"({_CUSTOMER} |billing |bill to |payer )?"
_PRODUCT = (
    "(product|article|sku|stock|variant|artikel|produkt|produit|produto|producto|articulo|"
    "articolo|prodotto)"
)
_TIME = "(date|time|datetime|timestamp|at|on|day|utc|date utc|time utc|date and time)"
_MONEY = (
    "(amount|value|total|sum|price|betrag|summe|preis|montant|prix|valor|preco|importe|importo|"
    "precio|prezzo|bedrag|kwota|cena|belopp)"
)

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "order_id": (
        f"{_ORDER} {_NUMBER}|order name|{_NUMBER} (de la |do |de |del |da )?{_ORDER}|no {_ORDER}|"
        f"n {_ORDER}",
        f"{_ORDER}",
        "id|nr|number|numero|nummer|name",
    ),
    "line_id": (
        f"({_ORDER} )?(line|item|position|pos|row|lineitem|line item|posten|zeile|ligne|linha|"
        f"linea) ({_NUMBER}|seq|sequence|index)|lines?|position|pos|payment sequential|sequence|"
        "seq",
    ),
    "product_id": (
        f"(lineitem |line item |item )?{_PRODUCT} {_NUMBER}|(lineitem |line item |item )?sku|ean|"
        f"gtin|upc|asin|isbn|artikelnummer|{_NUMBER} (du |do |de |del |da )?{_PRODUCT}",
        f"{_PRODUCT}",
    ),
    "customer_id": (
        f"{_CUSTOMER} (unique )?{_NUMBER}|{_NUMBER} (du |do |de |del |da )?{_CUSTOMER}|customerid",
        f"{_CUSTOMER}",
        f"{_CUSTOMER} (email|e mail|mail)",
    ),
    "occurred_at": (
        f"{_ORDER} (purchase |created |placed |creation )?{_TIME}|{_ORDER} purchase timestamp",
        f"(created|placed|purchased|ordered|sold|booked|creation)( {_TIME})?( utc)?|{_TIME} "
        "(created|placed|of purchase|of order|ordered)",
        f"{_TIME}|when|datum|zeit|zeitpunkt|(bestell|auftrags|rechnungs|kauf|beleg) ?(datum|"
        f"zeit)|date "
        "(de )?(commande|facture|achat)|data|data (do |del )?(pedido|compra|venda|ordine|fattura)|"
        "fecha|fecha (de )?(pedido|compra|factura|venta)|besteldatum|paid at|date paid|datetime",
        f"(payment|transaction|processed|completed|paid) ?{_TIME}?",
    ),
    "changed_at": (
        f"(updated|modified|changed|last (updated|modified|changed|update|change))( {_TIME})?|"
        "geaendert( am)?|letzte aenderung|date (modified|updated)",
    ),
    "amount": (
        f"(order |grand |invoice |net |gross |total |line |sales? |paid |"
        f"payment )?total( {_MONEY})?( paid)?",
        f"({_ORDER} |paid |payment |net |gross |line |charged |total )?{_MONEY}( paid| total)?|"
        f"(gesamt|end|rechnungs|zahl|brutto|netto) ?(betrag|summe|preis)|{_MONEY} (total|ttc|ht)",
        "umsatz|revenue|turnover|sales?|paid|gesamt|importe total|valor total|montant total|spent",
    ),
    "quantity": (
        "(order |item |line |lineitem |line item )?(quantity|qty|qnty|units|pieces|pcs)( ordered|"
        " sold)?|"
        "menge|anzahl|stueck|stueckzahl|quantite|qte|quantidade|qtd|cantidad|cant|quantita|aantal|"
        "ilosc|antal",
    ),
    "unit_price": (
        "(unit|item|lineitem|line item|piece|single|product|sale|selling) (price|cost)|"
        "price (per|each) "
        "?(unit|item|piece|each)?|einzelpreis|stueckpreis|prix unitaire|preco unitario|"
        "valor unitario|"
        "precio unitario|prezzo unitario|stuksprijs",
        "price|preis|prix|preco|precio|prezzo|prijs|cena|pris",
    ),
    "discount": (
        "(order |total |line |lineitem )?discounts?( amount| total| value)?|rabatt|nachlass|"
        "remise|desconto|"
        "descuento|sconto|korting|coupon (amount|discount)",
    ),
    "refunded": (
        "(total |amount )?refunded( amount| total)?|(refund|returned|chargeback)s? (amount|total|"
        "value)|"
        "refunds|erstattet|erstattungsbetrag|rembourse|reembolsado|rimborsato|montant rembourse",
    ),
    "refunded_at": (f"(refunded|refund|returned)( {_TIME})",),
    "currency": (
        "(order |payment |presentment |transaction )?(currency|ccy|curr)( code| iso)?|waehrung|"
        "devise|"
        "monnaie|moeda|moneda|valuta|waluta",
    ),
    "items": (
        "(items?|pieces|products) (count|total|sold)|(number|no|count) of items|items|item count",
    ),
    "channel": (
        "(sales? |order )?(channel|platform|source name)|vertriebskanal|kanal|canal( de vente)?|"
        "canale",
    ),
    "category": (
        "(product |item |main |first )?(category|categorie|kategorie|categoria|kategoria)( name)?|"
        "warengruppe|department|product type",
    ),
    "payment_type": (
        "payment( method| type| mode| gateway)|pay(ment)? method|zahlungsart|zahlung|zahlweise|"
        "(mode|moyen) de paiement|(forma|metodo) de pag(o|amento)|metodo di pagamento|"
        "tender( type)?",
    ),
    "installments": ("(payment |number of )?inst?allments|parcelas|cuotas|raten",),
    "freight": (
        "(order )?(shipping|freight|delivery|postage)( total| cost| costs| amount| value| price|"
        " fee)?|"
        "versand(kosten)?|frais de port|livraison|frete|envio|gastos de envio|spedizione|"
        "verzendkosten",
    ),
    "related_order_id": (
        f"(original|related|parent|refunded|linked|source|reference) {_ORDER}( {_NUMBER})?|"
        f"parent id",
    ),
    "delivered_on": (
        f"(order )?(delivered|delivery)( customer)?( {_TIME})?|geliefert( am)?|lieferdatum|"
        f"date de livraison|"
        "data (de )?entrega|fecha (de )?entrega",
    ),
    "review_score": ("(review|customer)? ?(score|rating|stars|bewertung|note|nota)",),
    "reviewed_on": (f"(review|rating|reviewed)( creation| answer)? {_TIME}",),
    "name": (
        f"{_OF_CUSTOMER}(full )?name|(billing |shipping )(full )?name|kundenname|"
        f"nom( du client)?|nome|"
        "nombre( completo)?|naam",
    ),
    "email": (
        f"{_OF_CUSTOMER}(email|e mail|mail)( address| adresse)?|courriel|correo( electronico)?",
    ),
    "phone": (
        f"{_OF_CUSTOMER}(phone|telephone|mobile|cell|tel|cellphone)( number| no)?|"
        f"telefon(nummer)?|handy|"
        "telefone|celular|telefono|telefoon",
    ),
    "address": (
        f"{_OF_CUSTOMER}(address|street|street address)( 1| line 1| line1|1)?|adresse|strasse|"
        f"rue|endereco|"
        "direccion|indirizzo|adres",
    ),
    "birth_date": (
        "(date of birth|dob|birth ?(date|day)|born|geburtsdatum|geburtstag|date de naissance|"
        "data de nascimento|nascimento|fecha de nacimiento|data di nascita|geboortedatum)",
    ),
    "tax_id": (
        "(tax|vat) ?(id|no|number)|ust ?id( ?nr)?|cpf|cnpj|cpf cnpj|nif|siret|steuernummer",
    ),
    "city": (f"{_OF_CUSTOMER}(city|town)|stadt|ort|ville|cidade|ciudad|citta|plaats|stad|miasto",),
    "state": (f"{_OF_CUSTOMER}(state|province|region|county)|bundesland|uf|provincia",),
    "postal_code": (
        f"{_OF_CUSTOMER}(postal ?code|post ?code|zip( ?code)?( prefix)?|plz|postleitzahl|"
        f"code postal|cep|"
        "codigo postal|cap|postcode)",
    ),
    "country": (f"{_OF_CUSTOMER}(country|land|pays|pais|paese|kraj)( code| name)?",),
    "acquisition_channel": (
        "(utm |traffic |acquisition |lead )(source|channel|medium)|referrer|herkunft",
    ),
    "loyalty_tier": (
        "(loyalty |customer |membership )?(tier|loyalty level|status level|membership)",
    ),
    "marketing_consent": (
        "(accepts|email|sms)? ?marketing( consent| opt in| optin| allowed)?|newsletter( opt in)?|"
        "opt ?in|"
        "subscribed|consent|einwilligung|accepts email marketing",
    ),
    "signed_up_on": (
        f"(signed up|sign ?up|signup|registered|registration|joined|customer since|"
        f"member since)( {_TIME})?|"
        "registriert( am)?|anmeldedatum|kunde seit|date d inscription|data (de )?cadastro",
    ),
}
ROLES: Mapping[str, tuple[str, ...]] = {
    **_HEADERS,
    **{name: (name.replace("_", " "),) for name in customer_attributes() if name not in _HEADERS},
}
"""Patterns of the headers that columns of a role have, the surest first."""

KINDS = (
    "(order |payment |financial |transaction |invoice )?(status|state|type|kind)|art|belegart|"
    "typ|statut|"
    "estado|situacao|tipo|stato|zustand|vorgang"
)
"""What columns are called that say what kind of row it is."""

TYPES = (
    "(order |payment |transaction |invoice |document )?(type|kind)|art|belegart|typ|tipo|vorgang"
)
"""Those of them that say what a row is, and not what became of an order."""

PARTS_OF_ID = (
    "(store|shop|branch|outlet|location|site|till|register|terminal|pos|channel|marketplace|"
    "series|year|"
    "filiale|kasse|markt|laden|magasin|caisse|loja|tienda|negozio|winkel)"
    f"( {_NUMBER})?"
)
"""What columns are called that tell orders of one number apart."""

TOTALS = frozenset(
    {
        *("total", "totals", "grand total", "sum", "subtotal", "total general", "totale", "totaal"),
        *("summe", "gesamt", "gesamtsumme", "endsumme", "somme", "total geral", "suma", "razem"),
    }
)
"""What stands instead of an order id in a row of totals."""

REFUNDS = frozenset(
    {
        *(
            "refund",
            "refunded",
            "return",
            "returned",
            "returns",
            "credit",
            "credit note",
            "chargeback",
        ),
        *("credit memo", "erstattung", "erstattet", "gutschrift", "retoure", "rueckgabe", "avoir"),
        *(
            "remboursement",
            "rembourse",
            "retour",
            "devolucao",
            "devolvido",
            "reembolso",
            "reembolsado",
        ),
        *(
            "devolucion",
            "rimborso",
            "reso",
            "terugbetaling",
            "zwrot",
            "fully refunded",
            "wc refunded",
        ),
    }
)
PARTLY = frozenset(
    {
        *("partially refunded", "partly refunded", "partial refund", "partial return"),
        *("partially returned", "wc partially refunded", "teilweise erstattet"),
        *("partiellement rembourse", "parcialmente reembolsado", "parzialmente rimborsato"),
    }
)
"""States of orders of which some part was given back."""
CANCELLED = frozenset(
    {
        *(
            "cancelled",
            "canceled",
            "cancel",
            "void",
            "voided",
            "failed",
            "declined",
            "expired",
            "rejected",
        ),
        *("storniert", "storno", "abgebrochen", "fehlgeschlagen", "abgelehnt", "annule", "annulee"),
        *(
            "echoue",
            "cancelado",
            "cancelada",
            "anulado",
            "anulada",
            "annullato",
            "fallito",
            "geannuleerd",
        ),
        *("blocked", "incomplete", "wc cancelled", "wc failed", "anulowane", "unavailable"),
    }
)
NOT_PAID = frozenset(
    {
        *(
            "pending",
            "on hold",
            "draft",
            "checkout draft",
            "unpaid",
            "awaiting payment",
            "ausstehend",
        ),
        *("offen", "unbezahlt", "en attente", "pendente", "pendiente", "in attesa", "wc pending"),
        *("wc on hold", "trash", "abandoned", "pending payment", "quote", "invoiced unpaid"),
    }
)
TESTS = frozenset({"test", "testorder", "test order", "dummy", "testbestellung"})
DISCOUNTS = (
    "disc(ount)?s?|voucher|coupon|promo(tion)?|rabatt|gutschein|nachlass|remise|desconto|descuento|"
    "sconto|korting|code promo|bon de reduction"
)
"""What discount lines are called."""


_COINS = frozenset({"cents", "cent", "pence", "minor", "centavos"})


def plain(text: str) -> str:
    """A header or word for comparison: lower case, no accents, words parted by single blanks."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text.strip())
    spelt = parted.lower()
    for letter, letters in {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}.items():
        spelt = spelt.replace(letter, letters)
    bare = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def is_named(header: str, pattern: str) -> bool:
    """Whether a header fits one of the patterns above; blanks may be missing in it."""
    lenient = pattern.replace(" ", " ?").replace("??", "?")
    return re.fullmatch(lenient, plain(header)) is not None


def currency_in(header: str) -> str | None:
    """The currency's code in a header such as ``Total (EUR)``."""
    codes = [word.upper() for word in plain(header).split()[1:] if word.upper() in SIGNS_OF]
    return codes[0] if codes else None


def without_currency(header: str) -> str:
    """A header without the code of a currency or the name of its coin."""
    words = plain(header).split()
    kept = [word for word in words if word.upper() not in SIGNS_OF and word not in _COINS]
    return " ".join(kept)


def counts_coins(header: str) -> bool:
    """Whether a header says that money is counted in the smallest coin."""
    return bool(set(plain(header).split()) & _COINS)
