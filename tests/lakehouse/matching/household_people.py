"""Made-up people who live together, and the records that a web shop, a till and a call centre keep of them. Seeded.

Households are singles, couples, families, families with twins, families where father and son have one name, half of them with
birthdays in one month or on one day of it, and doors behind which people of different names live. Whoever lives together shares the address, most of them the family name, many the
landline and some an e-mail address. Each person has one to four records, with typing errors, nicknames, initials, names in
each other's place, gaps, and a former address now and then.

Written without a look at the matcher's levels or at the demo's people: no name list and no kind of error is taken from them.
"""

import random
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations


def _words(text: str) -> list[str]:
    return text.split()


WOMEN = _words("""mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley
kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura cynthia kathleen amy angela
shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel carolyn janet catherine maria heather
diane ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline
martha gloria teresa ann sara madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber doris
marilyn danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori""")
MEN = _words("""james robert john michael david william richard joseph thomas charles christopher daniel matthew anthony mark donald
steven paul andrew joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary nicholas eric jonathan
stephen larry justin scott brandon benjamin samuel gregory alexander frank patrick raymond jack dennis jerry tyler aaron jose
adam nathan henry douglas zachary peter kyle ethan walter noah jeremy christian keith roger terry austin sean gerald carl harold
dylan arthur lawrence jordan jesse bryan billy bruce gabriel joe logan alan juan albert willie elijah wayne randy vincent mason
roy ralph bobby russell bradley philip eugene""")
CALLED = {
    "robert": ["bob", "rob", "bobby"], "william": ["bill", "will", "billy"], "richard": ["rick", "dick"], "james": ["jim", "jimmy"],
    "john": ["jack", "johnny"], "margaret": ["peggy", "maggie", "meg"], "elizabeth": ["liz", "beth", "betty"], "michael": ["mike"],
    "thomas": ["tom"], "charles": ["chuck", "charlie"], "patricia": ["pat", "trish"], "jennifer": ["jen", "jenny"],
    "susan": ["sue"], "katherine": ["kate", "kathy"], "deborah": ["debbie"], "edward": ["ed", "ted"], "daniel": ["dan"],
    "matthew": ["matt"], "anthony": ["tony"], "steven": ["steve"], "andrew": ["andy", "drew"], "kenneth": ["ken"],
    "joseph": ["joe"], "christopher": ["chris"], "samantha": ["sam"], "rebecca": ["becky"], "dorothy": ["dot", "dolly"],
}  # fmt: skip
_ONSETS = _words("b br c ch cl d dr f fl g gr h j k l m n p pr r s sch st t tr v w")
_NUCLEI = _words("a e i o u ai ee ou au")
_CODAS = [*_words("ll n nd r rt s ss t ck m l ng lt"), ""]
_ENDINGS = _words("son er man ley ton by ford well s ski ez o a")
_FREQUENT = _words(
    "smith johnson williams brown jones garcia miller davis martin lee walker hall young king wright hill"
)
_STREETS = _words("st ave rd lane court drive way place")
KINDS = {"single": 0.22, "couple": 0.26, "family": 0.22, "twins": 0.03, "namesakes": 0.02, "door": 0.25}
"""Households by kind, and their share. A door is one address of several singles and couples."""

TRAITS = {
    "first_name": "given_name", "last_name": "family_name", "birthday": "date", "gender": "category", "street": "address",
    "city": "address", "postal_code": "code", "phone": "phone", "email": "email",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Person:
    """`kind`: of the household. `first_address`: where the person lived before, if anywhere."""

    number: int
    household: int
    kind: str
    first_name: str
    last_name: str
    birthday: date
    gender: str
    street: str
    city: str
    postal_code: str
    mobile: str
    email: str
    landline: str
    shared_email: str
    is_twin: bool = False
    is_namesake: bool = False
    former: tuple[str, str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was written down, and what it was before the errors: by trait, absent ones left out."""

    person: Person
    written: Mapping[str, str]
    meant: Mapping[str, str]


def people(count: int, seed: int, kinds: Mapping[str, float] = KINDS) -> list[Person]:
    """About `count` people: whole households."""
    chance, found, household = random.Random(seed), list[Person](), 0
    town = _Town(random.Random(seed + 1), count)
    while len(found) < count:
        (kind,) = chance.choices(list(kinds), weights=list(kinds.values()))
        members = list(_household(chance, town, kind, household))
        found += [replace(one, number=len(found) + place) for place, one in enumerate(members)]
        household += 1
    return found


def records(persons: list[Person], seed: int, *, error: float = 0.04, gap: float = 0.03) -> list[Record]:
    """One to four of each person, in an order that says nothing of who is who. Shares by value: `error`, `gap`."""
    chance = random.Random(seed)
    found = [
        _record(chance, person, error, gap)
        for person in persons
        for _ in range(chance.choices([1, 2, 3, 4], [2, 3, 3, 2])[0])
    ]
    chance.shuffle(found)
    return found


def is_tellable(one: Record, other: Record) -> bool:
    """Whether the two records of ONE person can be told to be of one: they share enough that is the person's own.

    Own is a given name written out, where nobody else of the household has it, and a birthday, where there is no twin. One of the
    two must be meant on both sides, and the points of all that is meant alike on both sides must come to six: birthday 3, the same
    phone number 3, the same e-mail address 3, given name 2, family name 2, the same street and number 2. So it takes a given
    name, a family name and an address; or a birthday, a family name and one thing more. A number or an e-mail address
    alone is none: nobody can see whether it is one person's or the household's. Typing errors do not count against it.
    """
    person = one.person
    alike = {trait for trait, value in one.meant.items() if other.meant.get(trait) == value}
    is_named = "first_name" in alike and not person.is_namesake and len(one.meant["first_name"]) > 1
    is_dated = "birthday" in alike and not person.is_twin
    worth = {"birthday": 3, "phone": 3, "email": 3, "first_name": 2, "last_name": 2, "street": 2}
    return (is_named or is_dated) and sum(worth.get(trait, 0) for trait in alike) >= 6


def tellable_pairs(found: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Positions of the pairs of one person that can be told."""
    of_person: dict[int, list[int]] = {}
    for place, record in enumerate(found):
        of_person.setdefault(record.person.number, []).append(place)
    for places in of_person.values():
        yield from ((a, b) for a, b in combinations(places, 2) if is_tellable(found[a], found[b]))


class _Town:
    """Names of families, streets and towns, some of them frequent."""

    def __init__(self, chance: random.Random, count: int) -> None:
        self._chance = chance
        self._families = _FREQUENT + sorted(
            {_word(chance) + chance.choice(_ENDINGS) for _ in range(max(count // 3, 50))}
        )
        self._towns = [
            (_word(chance) + _word(chance), f"{chance.randrange(10_000, 99_999)}") for _ in range(max(count // 250, 4))
        ]
        self._streets = [
            f"{_word(chance)}{_word(chance)} {chance.choice(_STREETS)}" for _ in range(max(count // 15, 40))
        ]

    def family(self) -> str:
        place = int(len(self._families) * self._chance.random() ** 2)
        return self._families[place]

    def address(self) -> tuple[str, str, str]:
        city, code = self._chance.choice(self._towns)
        return f"{self._chance.randrange(1, 200)} {self._chance.choice(self._streets)}", city, code


def _word(chance: random.Random) -> str:
    return chance.choice(_ONSETS) + chance.choice(_NUCLEI) + chance.choice(_CODAS)


def _household(chance: random.Random, town: _Town, kind: str, household: int) -> Iterator[Person]:
    if kind == "door":
        address = town.address()
        for _ in range(chance.randrange(2, 6)):
            flat = _home(chance, town, kind, household, address)
            yield from flat.couple() if chance.random() < 0.3 else [flat.adult()]
        return
    home = _home(chance, town, kind, household, town.address())
    if kind == "single":
        yield home.adult()
        return
    father, mother = home.couple()
    if kind == "couple":
        yield from (father, mother)
        return
    taken = {father.first_name, mother.first_name}
    born = date(1990, 1, 1) + timedelta(days=chance.randrange(6500))
    ages = [born + timedelta(days=chance.randrange(400, 2500) * place) for place in range(chance.randrange(1, 4))]
    children = [home.child(age, taken) for age in ages]
    if kind == "twins":
        children[:1] = [replace(children[0], is_twin=True), replace(home.child(born, taken), is_twin=True)]
    if kind == "namesakes":
        father = replace(father, is_namesake=True)
        son = replace(children[0], first_name=father.first_name, gender=father.gender, is_namesake=True)
        children[0] = replace(son, birthday=_near(father.birthday, son.birthday, random.Random(household)))
    yield from (father, mother, *children)


def _near(father: date, son: date, chance: random.Random) -> date:
    """One son in four is born on his father's birthday, one in four in its month."""
    day, month = chance.choice(
        [(father.day, father.month), (son.day, father.month), (son.day, son.month), (son.day, son.month)]
    )
    return date(son.year, month, min(day, 28))


@dataclass(frozen=True, kw_only=True)
class _Home:
    chance: random.Random
    town: _Town
    kind: str
    household: int
    family: str
    address: tuple[str, str, str]
    landline: str
    shared_email: str

    def couple(self) -> tuple[Person, Person]:
        one = self.adult("M")
        other = self.adult("F" if self.chance.random() < 0.95 else "M", {one.first_name})
        return one, other if self.chance.random() < 0.85 else replace(other, last_name=self.town.family())

    def adult(self, gender: str = "", taken: Container[str] = ()) -> Person:
        born = date(1940, 1, 1) + timedelta(days=self.chance.randrange(22_000))
        former = self.town.address() if self.chance.random() < 0.1 else None
        return replace(self._person(born, gender or self.chance.choice("MF"), taken), former=former)

    def child(self, born: date, taken: set[str]) -> Person:
        found = self._person(born, self.chance.choice("MF"), taken)
        taken.add(found.first_name)
        return found

    def _person(self, born: date, gender: str, taken: Container[str]) -> Person:
        names = [name for name in (MEN if gender == "M" else WOMEN) if name not in taken]
        first = names[int(len(names) * self.chance.random() ** 1.5)]
        street, city, code = self.address
        user = f"{first}{self.chance.choice(['.', '', '_'])}{self.family}{self.chance.choice(['', str(born.year), str(born.day)])}"
        has_mobile, has_email = self.chance.random() < 0.85, self.chance.random() < 0.8
        return Person(
            number=0, household=self.household, kind=self.kind, first_name=first, last_name=self.family, birthday=born, gender=gender,
            street=street, city=city, postal_code=code, landline=self.landline, shared_email=self.shared_email,
            mobile=_number(self.chance) if has_mobile else "",
            email=f"{user}@{self.chance.choice(['gmail.com', 'yahoo.com', 'outlook.com', 'aol.com'])}" if has_email else "",
        )  # fmt: skip


def _home(chance: random.Random, town: _Town, kind: str, household: int, address: tuple[str, str, str]) -> _Home:
    family = town.family()
    shared = f"{chance.choice(['the', 'family', 'home', ''])}{family}{chance.randrange(99)}@{chance.choice(['gmail.com', 'aol.com'])}"
    return _Home(
        chance=chance, town=town, kind=kind, household=household, family=family, address=address,
        landline=_number(chance) if chance.random() < 0.6 else "", shared_email=shared if chance.random() < 0.3 else "",
    )  # fmt: skip


def _number(chance: random.Random) -> str:
    return f"({chance.choice(['206', '312', '415', '503', '617'])}) {chance.randrange(200, 999)}-{chance.randrange(10_000):04d}"


# By source, how often a trait is asked for.
_ASKED = {
    "web": {"first_name": 0.99, "last_name": 0.99, "birthday": 0.75, "gender": 0.4, "address": 0.85, "phone": 0.5, "email": 0.95},
    "till": {"first_name": 0.95, "last_name": 0.99, "birthday": 0.65, "gender": 0.5, "address": 0.9, "phone": 0.4, "email": 0.3},
    "phone": {"first_name": 0.96, "last_name": 0.98, "birthday": 0.65, "gender": 0.3, "address": 0.9, "phone": 0.9, "email": 0.2},
}  # fmt: skip


def _record(chance: random.Random, person: Person, error: float, gap: float) -> Record:
    asked = _ASKED[chance.choice(list(_ASKED))]
    has = {trait: chance.random() < share and chance.random() >= gap for trait, share in asked.items()}
    address = (person.street, person.city, person.postal_code)
    if person.former is not None and chance.random() < 0.3:
        address = person.former
    given = person.first_name
    written_given = given
    if given in CALLED and chance.random() < 0.15:
        written_given = chance.choice(CALLED[given])
    elif chance.random() < 0.04:
        given = written_given = given[0]
    told = {
        "first_name": given if has["first_name"] else "",
        "last_name": person.last_name if has["last_name"] else "",
        "birthday": person.birthday.isoformat() if has["birthday"] else "",
        "gender": person.gender if has["gender"] else "",
        "street": address[0] if has["address"] else "",
        "city": address[1] if has["address"] else "",
        "postal_code": address[2] if has["address"] else "",
        "phone": _one_of(chance, person.mobile, person.landline) if has["phone"] else "",
        "email": _one_of(chance, person.email, person.shared_email) if has["email"] else "",
    }
    meant = {trait: value for trait, value in told.items() if value}
    written = dict(meant)
    if "first_name" in meant:
        written["first_name"] = written_given
    for trait in list(written):
        if trait != "gender" and chance.random() < error:
            written[trait] = (
                _mistyped_date(chance, person.birthday) if trait == "birthday" else _mistyped(chance, written[trait])
            )
    if "first_name" in written and "last_name" in written and chance.random() < 0.01:
        written["first_name"], written["last_name"] = written["last_name"], written["first_name"]
    return Record(person=person, written={t: v for t, v in written.items() if v}, meant=meant)


def _one_of(chance: random.Random, own: str, shared: str) -> str:
    """What somebody gives who has both: most of the time their own."""
    return shared if shared and (not own or chance.random() < 0.3) else own


def _mistyped(chance: random.Random, value: str) -> str:
    place = chance.randrange(len(value))
    kind = chance.randrange(4)
    near = chance.choice("0123456789") if value[place].isdigit() else chance.choice("abcdefghijklmnopqrstuvwxyz")
    if kind == 0:
        return value[:place] + near + value[place + 1 :]
    if kind == 1:
        return value[:place] + value[place + 1 :]
    if kind == 2:
        return value[:place] + near + value[place:]
    return value[:place] + value[place + 1 : place + 2] + value[place : place + 1] + value[place + 2 :]


def _mistyped_date(chance: random.Random, born: date) -> str:
    if born.day <= 12 and chance.random() < 0.3:
        return f"{born.year}-{born.day:02d}-{born.month:02d}"
    text = f"{born:%Y%m%d}"
    place = chance.choice([2, 3, 5, 7])
    text = text[:place] + chance.choice("0123456789") + text[place + 1 :]
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"
