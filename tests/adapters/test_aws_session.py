"""Sessions of boto3 that share what boto has read."""

import pytest
from botocore.exceptions import ProfileNotFound

from fraud_platform.adapters.aws_session import aws_session, embedded_session
from fraud_platform.settings import Settings


def settings(**changes: str) -> Settings:
    return Settings.from_environment(changes)


def test_sessions_share_one_reader_of_descriptions_and_no_more() -> None:
    one, two = aws_session(settings()), embedded_session(settings(), key="k", secret="s")
    assert one._session is not two._session
    assert one._loader is two._loader


def test_many_sessions_do_not_make_the_shared_list_of_folders_longer() -> None:
    before = list(aws_session(settings())._loader.search_paths)
    for _ in range(5):
        session = aws_session(settings())
    assert session._loader.search_paths == before


def test_each_session_has_the_keys_and_region_that_it_was_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    first = embedded_session(settings(AWS_REGION="eu-north-1"), key="a", secret="b")
    second = embedded_session(settings(AWS_REGION="eu-west-3"), key="c", secret="d")
    assert [first.region_name, second.region_name] == ["eu-north-1", "eu-west-3"]
    assert [each.get_credentials().access_key for each in (first, second)] == ["a", "c"]


def test_a_profile_that_is_none_is_boto_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ProfileNotFound):
        aws_session(settings())
