"""E-mail addresses: known forms, and an oracle that splits strings."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.events import emails
from lakehouse.events.emails import ALL, KNOWN

# as sent -> (its one form, its one form when tags are dropped at known providers only)
FORMS: dict[str, tuple[str | None, str | None]] = {
    **{
        sent: (one, one)
        for sent, one in {
            "Ann.Lee+shop@GMAIL.com": "annlee@gmail.com",
            "a.n.n.l.e.e@googlemail.com": "annlee@gmail.com",
            "ann.lee@gmail.com.": "annlee@gmail.com",
            "ann.lee@googlemail.com.br": "ann.lee@googlemail.com.br",
            "ann.lee@mygmail.com": "ann.lee@mygmail.com",
            "ann.lee@gmail.co": "ann.lee@gmail.co",
            "Ann.Lee+x@outlook.com": "ann.lee@outlook.com",
            "ann+x@hotmail.co.uk": "ann@hotmail.co.uk",
            "ann+x@live.nl": "ann@live.nl",
            "ann+x@msn.com": "ann@msn.com",
            "ann.lee+x@icloud.com": "ann.lee@icloud.com",
            "ann.lee+x@me.com": "ann.lee@icloud.com",
            "ann.lee@mac.com": "ann.lee@icloud.com",
            "ann@acme.com": "ann@acme.com",
            "ann+x@fastmail.fm": "ann@fastmail.fm",
            "ann+x@zoho.eu": "ann@zoho.eu",
            "a.n-n_lee+x@proton.me": "annlee@proton.me",
            "ann_lee@protonmail.com": "annlee@protonmail.com",
            "ann.lee@pm.me": "annlee@pm.me",
            "ann-shop@yahoo.com": "ann@yahoo.com",
            "ann.lee-shop-2@yahoo.co.uk": "ann.lee@yahoo.co.uk",
            "ann-shop@yahoo.co.jp": "ann-shop@yahoo.co.jp",
            "ann-shop@ymail.com": "ann@ymail.com",
            "ann-lee@own.org": "ann-lee@own.org",
            "+49151123@sms.example": "+49151123@sms.example",
            " Ann @ Own.Org\n": "ann@own.org",
            "\ufeffann\u200b@own\u00a0.org": "ann@own.org",
            "ANN@MÜLLER.DE": "ann@müller.de",
            '"ann"@own.org': '"ann"@own.org',
            "Ann Lee <ann@own.org>": "ann@own.org",
            "<ann@own.org>": "ann@own.org",
            "mailto:ann@own.org?subject=hi": "ann@own.org",
            "ann@own.org,": "ann@own.org",
            "ann%40own.org": "ann@own.org",
            "E-Mail: ann@own.org": "ann@own.org",
            "email:ann@own.org": "ann@own.org",
            "ann@own.org?": "ann@own.org",
            "ann@own.org\\n": "ann@own.org",
            "ann@own.org%0D%0A": "ann@own.org",
            "\u201cann@own.org\u201d": "ann@own.org",
            "{ann@own.org}": "ann@own.org",
            "ann@own\u3002org": "ann@own.org",
            "ann@[127.0.0.1]": None,
            "ann@own.org?x=1": None,
            "100%": None,
            "ann@own.org;": "ann@own.org",
            "'ann@own.org'": "ann@own.org",
            "ju\u0308rgen@own.org": "jürgen@own.org",
            "ann@xn--mller-kva.de": "ann@müller.de",
            "\uff41nn\uff20own.org": "ann@own.org",
            "ann\ufe6bown.org": "ann@own.org",
            "Ann%2Bshop%40gmail.com": "ann@gmail.com",
            "mailto:ann%40own.org": "ann@own.org",
            "a%b@own.org": "a%b@own.org",
            "Ann <ann@own.org>, Bob <bob@own.org>": None,
            "ann shop@gmail.com": None,
            "Ann Lee ann@own.org": None,
            "ann\u200bshop@own.org": "annshop@own.org",
            "ann. lee@own.org": "ann.lee@own.org",
            "a***@own.org": None,
            "a\u2026@gmail.com": None,
            "a..b@own.org": "a..b@own.org",
            "ann": None,
            "": None,
            "   ": None,
            "\u00a0": None,
            "@": None,
            "ann@": None,
            "@own.org": None,
            "ann@own": None,
            "ann@.": None,
            "ann@own..org": None,
            "ann@.own.org": None,
            "ann@lee@own.org": None,
            "ann@own.org,bob@own.org": None,
            "...@gmail.com": None,
            "._-@proton.me": None,
            "a" * 64 + "@own.org": "a" * 64 + "@own.org",
            "a" * 65 + "@own.org": None,
            "é" * 32 + "@own.org": "é" * 32 + "@own.org",
            "é" * 33 + "@own.org": None,
            "a@" + "b" * 248 + ".org": "a@" + "b" * 248 + ".org",
            "a@" + "b" * 249 + ".org": None,
            "a+" + "b" * 62 + "@gmail.com": "a@gmail.com",
            "a+" + "b" * 63 + "@gmail.com": None,
        }.items()
    },
    "ann+shop@own.org": ("ann@own.org", "ann+shop@own.org"),
    "ann+a+b@own.org": ("ann@own.org", "ann+a+b@own.org"),
    "ann+shop@yahoo.com": ("ann@yahoo.com", "ann+shop@yahoo.com"),
    "ann+a-b@yahoo.com": ("ann@yahoo.com", "ann+a@yahoo.com"),
    "ann+x@yahoo.co.jp": ("ann@yahoo.co.jp", "ann+x@yahoo.co.jp"),
    "+ann+x@own.org": ("+ann@own.org", "+ann+x@own.org"),
}

# domain -> (what is ignored in the local part, what begins a tag, the domain it is one with)
PROVIDERS = {
    "gmail.com": (".", "+", "gmail.com"),
    "googlemail.com": (".", "+", "gmail.com"),
    "proton.me": ("._-", "+", "proton.me"),
    "yahoo.fr": ("", "-", "yahoo.fr"),
    "yahoo.com.br": ("", "-", "yahoo.com.br"),
    "outlook.com": ("", "+", "outlook.com"),
    "me.com": ("", "+", "icloud.com"),
    "mailbox.org": ("", "+", "mailbox.org"),
    "own.org": ("", "", "own.org"),
    "shop.gmail.com": ("", "", "shop.gmail.com"),
    "gmail.com.own.org": ("", "", "gmail.com.own.org"),
    "yahoo.co.jp": ("", "", "yahoo.co.jp"),
    "ßtraße.de": ("", "", "ßtraße.de"),
}
BLANKS = " \t\n\u00a0\u200b"
PIECES = st.text("ab.+-_Éß@ \t\u200b", max_size=9)
DOMAINS = st.sampled_from(
    [*PROVIDERS, *(name.upper() for name in PROVIDERS if "ß" not in name), "own", "a..b", "", "."]
)
ADDRESSES = st.builds(
    lambda local, domain, end: f"{local}@{domain}{end}", PIECES, DOMAINS, st.sampled_from(["", ".", " "])
)


def oracle(value: str, tags: str) -> str | None:
    """The rules of the module once more, by splitting and slicing."""
    text = "".join(character for character in value if character not in BLANKS).lower().rstrip(".")
    if text.count("@") != 1:
        return None
    local, domain = text.split("@")
    words = value.replace("\u200b", "").partition("@")[0].split()
    if any(one[-1] != "." and other[0] != "." for one, other in pairwise(words)) or local.endswith("..."):
        return None
    if len(local.encode()) > 64 or len(text.encode()) > 254 or len(labels := domain.split(".")) < 2 or "" in labels:
        return None
    ignored, separators, one = PROVIDERS.get(domain, ("", "", domain))
    begins = [n for n, character in enumerate(local) if n and character in separators + ("+" if tags == ALL else "")]
    local = "".join(character for character in local[: min(begins, default=len(local))] if character not in ignored)
    return f"{local}@{one}" if local else None


@pytest.mark.parametrize("sent", FORMS)
def test_an_address_has_one_form(sent: str) -> None:
    assert (emails.normalise(sent), emails.normalise(sent, KNOWN)) == FORMS[sent]


@given(value=ADDRESSES, tags=st.sampled_from([ALL, KNOWN]))
def test_the_form_is_that_of_the_oracle(value: str, tags: str) -> None:
    assert emails.normalise(value, tags) == oracle(value, tags)


@given(value=ADDRESSES, tags=st.sampled_from([ALL, KNOWN]))
def test_the_one_form_is_its_own(value: str, tags: str) -> None:
    one = emails.normalise(value, tags)
    assert one is None or emails.normalise(one, tags) == one
