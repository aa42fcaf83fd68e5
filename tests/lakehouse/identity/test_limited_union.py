from lakehouse.identity.limited_union import Link, Values, unite

ANY = Values(
    priority=[0] * 100_000, place={}, component=[0] * 100_000
)  # every value of a type as strong as whoever joins


def joined(actors, links, held, limits):
    """`unite` of identifiers given by their actors."""
    united = unite(actors, [Link(identifier=-1, priority=1, actors=link) for link in links], held, limits, ANY)
    return united.profile, united.refused


def test_identifiers_are_taken_in_the_order_given_and_the_refused_are_named():
    held = {0: {10}, 2: {20}}  # actors 0 and 2 carry different logins
    roots, refused = joined(3, [[0, 1], [1, 2]], [held], [1])
    assert refused == [1]
    assert roots[0] == roots[1] != roots[2]


def test_a_value_held_on_both_sides_counts_once():
    roots, refused = joined(2, [[0, 1]], [{0: {10, 11}, 1: {11, 10}}], [2])
    assert refused == []
    assert roots[0] == roots[1]


def test_every_limited_type_is_checked():
    assert joined(2, [[0, 1]], [{0: {1}, 1: {1}}, {0: {5}, 1: {6}}], [1, 1])[1] == [0]


def test_an_identifier_refused_once_does_not_keep_others_from_joining_part_of_its_actors():
    roots, refused = joined(4, [[0, 1, 2, 3], [1, 2]], [{0: {1}, 3: {2}}], [1])
    assert refused == [0]
    assert roots[1] == roots[2]
    assert len(set(roots)) == 3


def test_a_component_twenty_times_as_large_costs_twenty_times_as_much():
    """Counted in values looked at, not in seconds; without the smaller-into-larger merge it is 400 times."""
    small, large = looks(1_000), looks(20_000)
    assert 10 * small < large < 30 * small


class Counted(set):
    looks = 0

    def __contains__(self, value):
        Counted.looks += 1
        return super().__contains__(value)

    def __iter__(self):
        for value in super().__iter__():
            Counted.looks += 1
            yield value

    def __ior__(self, other):
        self.update(list(other))
        return self


def looks(actors):
    """A chain of joins up to the limit, again and again, with a hub both ends of which are refused every time."""
    Counted.looks = 0
    held = {actor: Counted([actor]) for actor in range(actors)}
    chain = [[actor, actor + 1] for actor in range(actors - 1)]
    _, refused = joined(actors, chain + [[0, actors - 1]] * actors, [held], [actors // 2])
    assert len(refused) == actors + 1
    return Counted.looks
