"""What a column's name says it holds: one declaration a role, in English, German, and what French, Spanish and Italian tools write.

A name is evidence, and seldom enough of it: what stands in the column has the last word (lakehouse/adoption/kinds.py and its parts).
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from lakehouse.events.personal_data import spelling

_NUMBER = r"(?:_?(?:ids?|no|nr|num|number|nummer|key|code|ref|reference|kennung))"
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_CUSTOMER = (
    r"customer|cust|client|user|household|member|shopper|buyer|patron|kunden?|kaeufer|cliente|cliente|mitglieds?"
)
_ORDER = r"order|basket|invoice|receipt|transaction|purchase|ticket|bestell(?:ung)?s?|auftrags?|beleg|bon|kassenbon|rechnungs?|commande|facture|pedido"
_PRODUCT = r"product|prod|item|article|artikel|produkt|stock|variant|produit|producto|prodotto|line_?item"
_TOTAL = (
    r"total|amount|revenue|sales|turnover|value|spend|gmv|umsatz|betrag|summe|montant|importe|monto|dollars?|euros?"
)
_SALE = r"order|purchase|transaction|trans|txn|shop|shopping|sale|sales|invoice|receipt|basket|bought|event|bestell(?:ung)?s?|auftrags?|kauf|verkaufs?|beleg|bon|rechnungs?|redemption"
_OF_SHOP = r"(?:crm|shop|store|web|external|ext|billing|buyer|sales|customer|client|order|our)_"  # before a word it changes nothing
_WHEN = r"date|time|timestamp|datetime|date_?time|at|on|ts|dt|datum|zeit|zeitpunkt|zeitstempel|tag|am"

# Role -> names, best first: a column of an earlier pattern is taken before one of a later.
ROLES: Mapping[str, tuple[str, ...]] = {
    "customer": (rf"(?:{_CUSTOMER}){_NUMBER}", rf"(?:{_OF_SHOP})?(?:{_CUSTOMER}){_NUMBER}|{_CUSTOMER}|account{_NUMBER}"),
    "visitor": (r"(?:.*_)?(?:visitor|anonymous|anon|cookie|browser|besucher)_?(?:id|key|kennung)",),
    "loyalty": (rf"(?:.*_)?(?:loyalty|bonus|treue|kunden|club)_?(?:card|karten?|program)?{_NUMBER}|kundenkarte|treuekarte|loyalty_?card",),
    "email": (
        r"e_?mail(?:_?(?:address|adresse))?|customer_e?_?mail|kunden_e?_?mail",
        rf"(?:{_OF_SHOP}|user_|contact_|account_|primary_|rechnungs_?|kontakt_?)e_?mail(?:_?(?:address|adresse))?|courriel|correo",
    ),
    "phone": (
        r"(?:tele)?(?:phone|fon)(?:_?(?:number|nummer|no|nr))?|mobile(?:_?(?:phone|number|no))?|tel|handy(?:nummer)?|customer_phone",
        r".*(?:phone|telefon|mobil|handy)(?:_?(?:number|nummer|no|nr))?",
    ),
    "order": (rf"(?:{_ORDER}){_NUMBER}", rf"(?:{_OF_SHOP})?(?:{_ORDER}){_NUMBER}", rf"{_ORDER}"),
    "number": (r"ids?|no|nr|num|number|nummer|ref(?:erence)?|key",),
    "product": (
        rf"(?:{_PRODUCT}){_NUMBER}|(?:(?:{_PRODUCT})_)?(?:sku|ean|upc|gtin|asin|isbn)(?:_?(?:code|nummer))?|stock_?code",
        rf"(?:(?:line|purchased|ordered|sold|bought)_)?(?:{_PRODUCT}){_NUMBER}|{_PRODUCT}",
    ),
    "product_name": (rf"(?:{_PRODUCT})_?(?:name|title|bezeichnung|description)|bezeichnung|artikel|title",),
    "category": (r"(?:product_|item_)?(?:category|kategorie|categorie|warengruppe|department)",),
    "brand": (r"brand|marke|vendor|hersteller",),
    "quantity": (
        r"(?:.*_)?(?:quantity|qty|units|pieces|menge|anzahl|stueck(?:zahl)?|quantite|cantidad)|(?:number|no|num)_of_\w+",
    ),
    "unit_price": (r"(?:.*_)?(?:unit|item|line_?item|einzel|stueck|piece)_?(?:price|preis)|price_(?:per_|each)\w*",),
    "price": (r"price|preis|prix|precio|prezzo",),
    "total": (
        r"(?:grand|order|invoice|purchase)_?(?:total|amount|value)|total(?:_?(?:price|amount|value|paid))?|gesamt(?:betrag|summe|preis|umsatz)?"
        r"|bestellwert|rechnungsbetrag|revenue|umsatz",
        rf"(?:(?:line|sales?|transaction|basket|paid|net|gross|netto|brutto|dollar|waren)_?)*(?:{_TOTAL})(?:_?(?:eur|usd|gbp|chf|paid|netto|brutto))?",
    ),
    "refund": (r"(?:.*_)?(?:refund(?:ed)?|erstatt(?:ung|et)|rueckerstattung)(?:_?(?:amount|value|total|betrag))?",),
    "tax": (r"(?:total_)?(?:tax(?:es)?|vat|mwst|ust|steuer)(?:_?(?:amount|betrag|total))?",),
    "shipping": (r"(?:total_)?(?:shipping|freight|versand(?:kosten)?|porto|postage)(?:_?(?:cost|price|amount|total))?",),
    "discount": (r"(?:total_)?(?:discounts?|rabatt|nachlass)(?:_?(?:amount|betrag|total))?",),
    "coupon": (r"(?:coupon|discount|voucher|promo|gutschein)_?code|gutschein|coupon",),
    "currency": (r"(?:.*_)?(?:currency|waehrung|devise|moneda|valuta)(?:_?code)?",),
    "time": (rf"(?:{_SALE})_?(?:{_WHEN})|(?:ordered|purchased|placed|sold|bought|occurred|processed)_?(?:at|on)|(?:bestellt|gekauft|verkauft)_am",
             rf"{_WHEN}|created(?:_?(?:at|on|date|time))?|erstellt(?:_am)?|creation_date|day"),
    "changed": (r"(?:last_?)?(?:updated?|modified|changed|geaendert|aktualisiert)(?:_?(?:at|on|date|time|am))?",),
    "made": (
        r"(?:created|registered|signed_?up|joined|angelegt|erstellt|registriert)(?:_?(?:at|on|date|time|am))?|sign_?up_?date|registration_?date"
        r"|member_since|kunde_seit|creat(?:e|ion)_?date",
    ),
    "cancelled": (r"(?:cancell?ed|storniert|cancellation)(?:_?(?:at|on|date|am))?",),
    "status": (r"(?:.*_)?(?:status|statut|state|state_of_order|zustand|bestellstatus|etat|estado|stato)",),
    "session": (r"(?:user_|visit_|web_)?session(?:_?id)?|visit_?id",),
    "event": (r"event(?:_?(?:name|type))?|action|activity|ereignis|aktion",),
    "consent": (
        r"(?:.*_)?(?:newsletter|opt_?in|accepts?_(?:e_?mail_)?marketing|marketing|consent|einwilligung|werbe(?:einwilligung|erlaubnis)|subscribed"
        r"|opt(?:ed)?_?out|unsub(?:scribed?)?|do_not_(?:e_?mail|contact|call|mail)|abgemeldet)"
        r"(?:_?(?:status|state|flag|opt_?in|consent|allowed|erlaubt|permission|e_?mails?|sms|from|of|all|at|on|am|date|time|reason))*",
    ),
    "first_name": (r"(?:.*_)?(?:first|given|fore)_?name|vorname|prenom",),
    "last_name": (r"(?:.*_)?(?:last|sur|family)_?name|nachname|familienname|zuname",),
    "name": (r"(?:full|customer|client|billing|kunden)_?name|name",),
    "birthday": (r"birth_?da(?:y|te)|date_of_birth|dob|geburts(?:datum|tag)|geb_datum",),
    "gender": (r"gender|sex|geschlecht",),
    "company": (r"company|organi[sz]ation|firma|firmenname",),
    "street": (r"(?:.*_)?(?:street|address(?:_line)?_?1?|strasse)",),
    "city": (r"(?:.*_)?(?:city|town|ort|stadt|wohnort)",),
    "region": (r"(?:.*_)?(?:region|state|province|bundesland)",),
    "postal_code": (r"(?:.*_)?(?:postal_?code|post_?code|zip(?:_?code)?|plz|postleitzahl)",),
    "country": (r"(?:.*_)?(?:country(?:_?code)?|land|staat|pays|pais)",),
    "tier": (r"(?:loyalty_)?tier|kundenstatus|customer_level",),
}  # fmt: skip
_REMARK = re.compile(r"\s*[(\[][^)\]]*[)\]]\s*\Z")
_COMPILED = {role: [re.compile(pattern) for pattern in patterns] for role, patterns in ROLES.items()}
# Amounts that are not what somebody paid, whatever else their name says.
_OTHER_MONEY = re.compile(
    r"(?:\A|_)(?:tax(?:es)?|vat|mwst|ust|discounts?|disc|rabatt|shipping|versand|freight|refund(?:ed)?|cost|costs|balance|outstanding|income|salary"
    r"|budget|points|weight|sub|subtotal|unit|einzel|limit|credit|life_?time|ltv|margin|predicted|average|avg|count|previous)(?:_|\Z)"
)


@lru_cache(maxsize=20_000)
def folded(name: str) -> str:
    """A name in snake_case ASCII: `Straße`, `E-Mail` and `customerId` are strasse, e_mail and customer_id."""
    text = unicodedata.normalize("NFC", name).translate(_UMLAUTS)
    return spelling(text)


@lru_cache(maxsize=200_000)  # a file may have ten thousand columns, and each role asks for all of them
def rank(role: str, name: str) -> int | None:
    """How well a column's name fits a role: 0 best; None = not at all. What stands in brackets is a remark: `Order Total (inc tax)` is an order's total."""
    found = _rank(role, folded(name))
    return _rank(role, folded(bare)) if found is None and (bare := _REMARK.sub("", name)) not in ("", name) else found


def _rank(role: str, said: str) -> int | None:
    if role == "total" and _OTHER_MONEY.search(said):
        return None
    return next((number for number, pattern in enumerate(_COMPILED[role]) if pattern.fullmatch(said)), None)


def is_known(name: str) -> bool:
    """Whether it is the name of anything."""
    return any(rank(role, name) is not None for role in ROLES)
