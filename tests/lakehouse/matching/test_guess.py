import pytest

from lakehouse.matching.guess import kind_by_name, kind_by_values

BY_NAME = {
    "email": ["email", "E-Mail Address", "workEmail", "e_mail"],
    "phone": ["phone", "Mobile", "phoneNumber", "home_tel", "fax"],
    "date": ["dob", "date_of_birth", "DateOfBirth", "birthday", "birth date", "birthdate"],
    "code": ["postcode", "zip", "postal_code", "soc_sec_id", "street_number", "SSN", "birth_year", "passport no"],
    "category": ["sex", "gender", "state", "country", "occupation", "job_title", "ethnicity"],
    "full_name": ["name", "full_name", "fullName", "customer_name", "first_and_surname"],
    "given_name": ["first_name", "firstName", "given_name", "forename", "forenames", "first", "FName"],
    "family_name": ["last_name", "surname", "familyName", "lname", "last"],
    "address": ["address_1", "street", "city", "suburb", "birth_place", "street name"],
    "name": ["maiden_name", "nickname"],
    None: ["x", "remarks", "colour", "v0", ""],
}
BY_VALUES = {
    "email": ["ann@x.com", "bob@y.org", "n/a", "kay@z.de", "lea@w.fr"],
    "date": ["1985-01-05", "5.1.1985", "19850105", "1/5/1985"],
    "phone": ["+1 206 555 0123", "(206) 555-0123", "0044 20 7946 0958"],
    "code": ["98101", "4", "12-3"],
    "text": ["the quick fox", "jumped", "over it"],
    "category": ["m", "f"] * 100,
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind, names in BY_NAME.items() for name in names])
def test_a_name_tells_the_kind(name, kind):
    assert kind_by_name(name) == kind


@pytest.mark.parametrize("kind", BY_VALUES)
def test_values_tell_the_kind_when_the_name_does_not(kind):
    assert kind_by_values(BY_VALUES[kind]) == kind


def test_no_values_tell_nothing_apart():
    assert kind_by_values([]) == "category"
