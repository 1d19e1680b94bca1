import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.evaluation import MAX_NAMED_VALUES, DiscardCounter
from fraud_platform.topology import INGESTION


@pytest.mark.parametrize("value", ["legitimate", "FRAUD", "Fraudulent", "not_sure-yet", "x" * 32])
def test_a_safe_value_keeps_its_name(value: str) -> None:
    assert DiscardCounter().outcome(value) == f"discarded.evaluation:{value}"


@pytest.mark.parametrize("value", ["", " fraudulent", "fraudulent\n", "a:b", "ünsafe", "x" * 33, "<script>", "1 2"])
def test_an_unsafe_value_counts_as_other(value: str) -> None:
    assert DiscardCounter().outcome(value) == "discarded.evaluation:other"


def test_after_twenty_names_new_values_count_as_other() -> None:
    counter = DiscardCounter()
    values = ["v" * (number + 1) for number in range(MAX_NAMED_VALUES + 5)]
    names = [counter.outcome(value) for value in values]
    assert names[:20] == [f"discarded.evaluation:{value}" for value in values[:20]]
    assert set(names[20:]) == {"discarded.evaluation:other"}
    assert counter.outcome("v") == "discarded.evaluation:v"


def test_unsafe_values_use_up_no_names() -> None:
    counter = DiscardCounter()
    for number in range(100):
        counter.outcome(f"not safe {number}")
    assert counter.outcome("safe") == "discarded.evaluation:safe"


@given(st.lists(st.text(max_size=40), max_size=60))
def test_whatever_banks_send_the_names_are_few_and_the_topology_knows_them(values: list[str]) -> None:
    counter = DiscardCounter()
    names = {counter.outcome(value) for value in values}
    assert len(names) <= MAX_NAMED_VALUES + 1
    assert all(INGESTION.written_by(name) == {} for name in names)


@pytest.mark.parametrize("misplaced", ["999-88-7777", "GB29NWBK60161331926819", "a.b@c.example", "x1"])
def test_what_could_be_an_account_or_an_ssn_is_not_named(misplaced: str) -> None:
    assert DiscardCounter().outcome(misplaced) == "discarded.evaluation:other"
