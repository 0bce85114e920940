import pytest

from grounded.errors import UsageError
from grounded.records import SYSTEM_KEYS, Absent, AnyOf, Between, Not, conditions_from, keys_of


def test_where_is_read_into_conditions() -> None:
    where = {"a": 1, "b": {"gte": 2, "lt": 5}, "c": ["x", "y"], "d": {"exists": False}, "e": {"not": "z"}}
    assert conditions_from(where) == (
        AnyOf(key="a", values=(1,)),
        Between(key="b", at_least=2),
        Between(key="b", below=5),
        AnyOf(key="c", values=("x", "y")),
        Absent(key="d"),
        Not(condition=AnyOf(key="e", values=("z",))),
    )
    assert conditions_from(None) == ()


@pytest.mark.parametrize("wanted", [None, {"gt": 1}, {"gte": "1"}, [], [object()], {"in": "x"}, b"x"])
def test_other_filters_are_usage_errors(wanted: object) -> None:
    with pytest.raises(UsageError, match="'a'"):
        conditions_from({"a": wanted})


def test_keys_are_found_at_every_depth() -> None:
    assert keys_of(Not(condition=AnyOf(key="a", values=(1,)))) == {"a"}


def test_system_keys_are_keywords() -> None:
    assert set(SYSTEM_KEYS) == {"tenant", "principals", "document_id", "source"}
    assert set(SYSTEM_KEYS.values()) == {"keyword"}
