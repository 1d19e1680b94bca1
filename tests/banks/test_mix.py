import pytest

from fraud_platform.banks.mix import DEFAULT_MIX, Weighted, parse_mix
from fraud_platform.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("fraudulent=0.1,unidentified=0.9", {"fraudulent": 0.1, "unidentified": 0.9}),
        (" FRAUD = 3 , legitimate = 1 ,", {"FRAUD": 3.0, "legitimate": 1.0}),
        ("unidentified=1,fraudulent=0", {"unidentified": 1.0, "fraudulent": 0.0}),
    ],
)
def test_a_mix_is_read_from_text(text, mix):
    assert parse_mix(text) == mix


@pytest.mark.parametrize("text", ["fraudulent", "fraudulent=", "=1", "a=x", "", "a=-1", "a=nan", "a=inf", "a=0"])
def test_a_bad_mix_is_refused_in_a_sentence(text):
    with pytest.raises(ConfigurationError, match=r"^A mix .*\.$"):
        parse_mix(text)


def test_the_default_mix_is_seventy_twenty_ten():
    assert DEFAULT_MIX == {"unidentified": 0.7, "legitimate": 0.2, "fraudulent": 0.1}


@pytest.mark.parametrize(("at", "picked"), [(0.0, "a"), (0.249, "a"), (0.25, "c"), (0.999, "c")])
def test_a_value_is_picked_by_its_share_and_never_with_weight_zero(at, picked):
    """a: [0, 0.25)   b: nothing   c: [0.25, 1)"""
    assert Weighted({"a": 1, "b": 0, "c": 3}).pick(at) == picked
