"""The steps of looking around and of saying who one is. One step, one message."""

from random import Random

from lakehouse.demo.shop.people import Shopper
from lakehouse.demo.shop.stay import Personal, Stay

_EVENT = '"type":"track","event":"%s"'


def home(stay: Stay) -> None:
    device = stay.visit.device
    assert device is not None
    if device.channel == "web":
        stay.web('"type":"page","name":"Home"', '"properties":{"path":"/","title":"Home"}', page="/")
    else:
        stay.web('"type":"screen","name":"Home"', '"properties":{"title":"Home"}')


def search(stay: Stay) -> None:
    stay.viewed = stay.pick()
    words = stay.viewed.category
    stay.web(_EVENT % "Products Searched", f'"properties":{{"query":"{words}"}}', page="/search")


def view(stay: Stay) -> None:
    product = stay.viewed = stay.pick()
    path = f"/p/{product.product_id}"
    stay.web(_EVENT % "Product Viewed", f'"properties":{{{product.json},"quantity":1,"currency":"USD"}}', page=path)


def add(stay: Stay) -> None:
    product = stay.viewed or stay.pick()
    quantity = 1 if stay.world.rng.random() < 0.8 else 2
    stay.cart.append((product, quantity))
    properties = f'"cart_id":"{stay.visit.anonymous_id}",{product.json},"quantity":{quantity}'
    stay.web(_EVENT % "Product Added", f'"properties":{{{properties}}}', page="/cart")


def remove(stay: Stay) -> None:
    product, quantity = stay.cart.pop() if stay.cart else (stay.pick(), 1)
    properties = f'{product.json},"quantity":{quantity}'
    stay.web(_EVENT % "Product Removed", f'"properties":{{{properties}}}', page="/cart")


def login(stay: Stay) -> None:
    """Identify with userId: from here on the visit is known."""
    stay.is_known = True
    person, rng = stay.person, stay.world.rng
    traits = f'"email":"{email_as_sent(person.email, rng)}",' + _name(person)
    phone = person.phone if rng.random() < 0.6 else None
    traits += f',"phone":"{phone_as_sent(phone, rng)}"' if phone else ""
    traits += f',"loyalty_id":"{person.loyalty_id}"' if person.loyalty_id else ""
    personal = Personal(person.email, phone, person.loyalty_id)
    stay.web('"type":"identify"', f'"traits":{{{traits}}}', personal=personal)


def guest(stay: Stay) -> None:
    """Identify without userId: the address and perhaps the number typed at checkout."""
    person, rng = stay.person, stay.world.rng
    phone = person.phone if rng.random() < 0.4 else None
    traits = f'"email":"{email_as_sent(person.typed_email, rng)}",' + _name(person)
    traits += f',"phone":"{phone_as_sent(phone, rng)}"' if phone else ""
    stay.web('"type":"identify"', f'"traits":{{{traits}}}', personal=Personal(person.typed_email, phone))


def scan(stay: Stay) -> None:
    """The loyalty card held to a kiosk's reader."""
    loyalty_id = stay.person.loyalty_id
    stay.web('"type":"identify"', f'"traits":{{"loyalty_id":"{loyalty_id}"}}', personal=Personal(loyalty_id=loyalty_id))


def alias(stay: Stay) -> None:
    stay.alias()


def group(stay: Stay) -> None:
    stay.web('"type":"group","groupId":"loyalty-programme"', '"traits":{"name":"Loyalty programme","plan":"silver"}')


def call(stay: Stay) -> None:
    """A call to the centre: all it knows is the number."""
    phone = stay.person.phone
    traits = f'"phone":"{phone_as_sent(phone, stay.world.rng)}"'
    seconds = 60 + int(stay.world.rng.random() * 600)
    body = f'"properties":{{"topic":"delivery","duration_seconds":{seconds}}}'
    stay.server(_EVENT % "Support Contacted", body, "call_center", traits=traits, personal=Personal(phone=phone))


def email_as_sent(email: str, rng: Random) -> str:
    """People type capitals and blanks; the address stays the same."""
    luck = rng.random()
    if luck < 0.1:
        return email.title()
    return f" {email} " if luck < 0.12 else email


def phone_as_sent(phone: str, rng: Random) -> str:
    """A number of +1 as people write it: international, national, bare."""
    area, exchange, line = phone[2:5], phone[5:8], phone[8:]
    forms = (phone, f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"1 {area} {exchange} {line}")
    return forms[int(rng.random() * len(forms))]


def _name(person: Shopper) -> str:
    return f'"firstName":"{person.first_name}","lastName":"{person.last_name}"'
