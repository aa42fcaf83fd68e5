"""The steps that concern money: checkout, coupon, order, its echo from the server, till, refund. Integer cents."""

from lakehouse.demo.shop.browsing import call, email_as_sent, phone_as_sent
from lakehouse.demo.shop.catalogue import COUPONS, money
from lakehouse.demo.shop.people import BARGAIN
from lakehouse.demo.shop.stay import NOTHING, Personal, Stay
from lakehouse.demo.truth import OrderTruth

_EVENT = '"type":"track","event":"%s"'
_SHIPPING_CENTS = 499
_CURRENCY_OMITTED = 0.02  # share of orders that leave the currency to the default


def checkout(stay: Stay) -> None:
    value = sum(product.cents * quantity for product, quantity in stay.cart)
    stay.web(_EVENT % "Checkout Started", f'"properties":{{"value":{money(value)},"currency":"USD"}}', page="/checkout")


def coupon(stay: Stay) -> None:
    codes = tuple(COUPONS)
    stay.coupon = codes[-1] if stay.person.behaviour is BARGAIN else codes[int(stay.world.rng.random() * len(codes))]
    stay.web(_EVENT % "Coupon Entered", f'"properties":{{"coupon_id":"{stay.coupon}"}}', page="/checkout")


def order(stay: Stay) -> None:
    """Order Completed on the device; a guest's carries the address in context.traits."""
    if not stay.cart:
        stay.cart.append((stay.pick(), 1))
    stay.last_order = _complete(stay, "")
    traits, personal = "", NOTHING
    if not stay.is_known:
        address = stay.person.typed_email
        traits, personal = f'"email":"{email_as_sent(address, stay.world.rng)}"', Personal(email=address)
    stay.web(_EVENT % "Order Completed", stay.last_order, traits=traits, page="/thanks", personal=personal)


def echo(stay: Stay) -> None:
    """The same order told again by the back office, as a message of its own."""
    stay.server(_EVENT % "Order Completed", stay.last_order, "server", user_id=stay.person.user_id)


def store_order_by_card(stay: Stay) -> None:
    card = stay.person.loyalty_id
    _store_order(stay, f'"loyalty_id":"{card}"', Personal(loyalty_id=card))


def store_order_by_email(stay: Stay) -> None:
    email = stay.person.email
    _store_order(stay, f'"email":"{email_as_sent(email, stay.world.rng)}"', Personal(email=email))


def store_order_by_phone(stay: Stay) -> None:
    phone = stay.person.phone
    _store_order(stay, f'"phone":"{phone_as_sent(phone, stay.world.rng)}"', Personal(phone=phone))


def refund(stay: Stay) -> None:
    """Order Refunded for the latest order not refunded yet, whole or its first line; without one, a call."""
    person, world = stay.person, stay.world
    if not person.orders:
        call(stay)
        return
    order_id, cents, first_line = person.orders.pop()
    properties = f'"order_id":"{order_id}"'
    amount = cents
    if world.rng.random() < 0.5:
        amount = min(first_line, cents)
        properties += f',"revenue":{money(amount)},"total":{money(amount)},"currency":"USD"'
    world.truth.orders[order_id].refunded_cents = amount
    traits, personal = "", NOTHING
    if person.user_id is None:
        traits, personal = f'"email":"{person.typed_email}"', Personal(email=person.typed_email)
    body = f'"properties":{{{properties}}}'
    stay.server(_EVENT % "Order Refunded", body, "server", user_id=person.user_id, traits=traits, personal=personal)


def _store_order(stay: Stay, traits: str, personal: Personal) -> None:
    rng = stay.world.rng
    fewest, most = stay.person.behaviour.lines
    stay.cart = [(stay.pick(), 1) for _ in range(fewest + int(rng.random() * (most - fewest + 1)))]
    if rng.random() < stay.person.behaviour.coupon:
        stay.coupon = tuple(COUPONS)[-1]
    body = _complete(stay, f',"store_id":"s{1 + int(rng.random() * 12):02d}"')
    stay.server(_EVENT % "Order Completed", body, "store", traits=traits, personal=personal)


def _complete(stay: Stay, extra: str) -> str:
    """Book the order and return its properties. revenue = lines less discount; total adds shipping when sent home."""
    world, person = stay.world, stay.person
    order_id = world.next_order_id()
    gross = sum(product.cents * quantity for product, quantity in stay.cart)
    discount = gross * COUPONS[stay.coupon] // 100 if stay.coupon else 0
    cents = gross - discount
    shipping = 0 if extra else _SHIPPING_CENTS
    world.truth.orders[order_id] = OrderTruth(person.person_id, stay.at, cents)
    person.orders.append((order_id, cents, stay.cart[0][0].cents))
    currency = "" if world.rng.random() < _CURRENCY_OMITTED else ',"currency":"USD"'
    code = f',"discount":{money(discount)},"coupon":"{stay.coupon}"' if stay.coupon else ""
    lines = ",".join(f'{{{product.json},"quantity":{quantity}}}' for product, quantity in stay.cart)
    return (
        f'"properties":{{"order_id":"{order_id}","revenue":{money(cents)},"shipping":{money(shipping)},'
        f'"total":{money(cents + shipping)}{currency}{code}{extra},"products":[{lines}]}}'
    )
