"""What every `ObjectStore` promises, and what only a real S3 can show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from fraud_platform.adapters.s3 import ObjectStore, S3ObjectStore
from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.settings import Settings
from tests.conftest import fresh_settings
from tests.fakes.bucket import FakeBucket
from tests.patience import be_patient
from tests.ports import free_port

KEY = "fraudulent-transactions/t+x/dt=2026-01-01/hr=00/t+0+00000000000000000001.avro"
SECRET = "a-secret-that-nobody-may-read"


@pytest.fixture
def settings(service_endpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    be_patient(monkeypatch)
    return fresh_settings(service_endpoints, tmp_path)


@pytest.fixture(params=["fake", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "fake":
        return FakeBucket()
    store = S3ObjectStore(request.getfixturevalue("settings"))
    store.prepare()
    return store


def test_what_was_put_is_got(store: ObjectStore) -> None:
    store.put(KEY, b"\x00\xffbytes")
    assert store.get(KEY) == b"\x00\xffbytes"


def test_putting_again_replaces(store: ObjectStore) -> None:
    store.put(KEY, b"a longer first version")
    store.put(KEY, b"second")
    assert store.get(KEY) == b"second"
    assert [found.key for found in store.list("")] == [KEY]


def test_an_object_that_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.get(KEY) is None
    assert store.head(KEY) is None


def test_the_head_tells_the_size(store: ObjectStore) -> None:
    store.put(KEY, b"12345")
    found = store.head(KEY)
    assert found is not None
    assert (found.key, found.size) == (KEY, 5)


def test_a_list_holds_the_prefix_only_and_is_sorted(store: ObjectStore) -> None:
    for name in ("a/dt=2/x", "a/dt=1/y", "a/dt=1/x", "ab/z", "b/w"):
        store.put(name, b".")
    assert [found.key for found in store.list("a/")] == ["a/dt=1/x", "a/dt=1/y", "a/dt=2/x"]
    assert list(store.list("nothing/")) == []


def test_preparing_again_changes_nothing(store: ObjectStore) -> None:
    store.put(KEY, b"1")
    store.prepare()
    assert store.get(KEY) == b"1"


def test_a_store_that_answers_is_ready(store: ObjectStore) -> None:
    assert store.ready()


@pytest.mark.services
def test_a_list_longer_than_a_page_is_complete(settings: Settings) -> None:
    store = S3ObjectStore(settings)
    store.prepare()
    for number in range(1005):
        store.put(f"many/{number:04d}", b"")
    assert len(list(store.list("many/"))) == 1005


@pytest.mark.services
def test_a_bucket_of_ones_own_is_never_created(service_endpoints: dict[str, str], tmp_path: Path) -> None:
    store = S3ObjectStore(_as_aws(service_endpoints, tmp_path))
    with pytest.raises(ConfigurationError, match="has no bucket 'lake-"):
        store.prepare()
    with pytest.raises(ConfigurationError, match="FRAUD_LAKE_BUCKET"):
        store.put(KEY, b"1")


@pytest.mark.services
def test_wrong_keys_are_one_sentence_without_the_secret(settings: Settings) -> None:
    store = S3ObjectStore(settings.model_copy(update={"local_s3_secret_key": SecretStr(SECRET)}))
    with pytest.raises(ConfigurationError, match="check the credentials") as refusal:
        store.put(KEY, b"1")
    assert SECRET not in str(refusal.value)


@pytest.mark.services
def test_the_shells_keys_profile_and_proxy_are_ignored(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {
        "AWS_ACCESS_KEY_ID": "foreign",
        "AWS_SECRET_ACCESS_KEY": "foreign",
        "AWS_SESSION_TOKEN": "foreign",
        "AWS_PROFILE": "missing",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    store = S3ObjectStore(settings)
    store.prepare()
    store.put(KEY, b"1")
    assert store.get(KEY) == b"1"


def test_a_store_that_is_away_is_unavailable_and_not_ready(tmp_path: Path, refused_port: int) -> None:
    store = S3ObjectStore(_offline(tmp_path, AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{refused_port}"))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.put(KEY, b"1")
    assert not store.ready()


def test_keys_that_were_never_made_point_to_make_up(tmp_path: Path) -> None:
    settings = _offline(tmp_path, AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="make up"):
        S3ObjectStore(settings.model_copy(update={"local_s3_access_key": None}))


def test_a_missing_profile_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(ConfigurationError, match="AWS profile"):
        S3ObjectStore(_offline(tmp_path, FRAUD_AWS="aws"))


@pytest.mark.parametrize("calls", [lambda s: s.get(KEY), lambda s: s.head(KEY), lambda s: list(s.list(""))])
def test_every_question_says_that_the_store_is_away(
    calls: Callable[[ObjectStore], Any], tmp_path: Path, refused_port: int
) -> None:
    store = S3ObjectStore(_offline(tmp_path, AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{refused_port}"))
    with pytest.raises(StoreUnavailable):
        calls(store)


@pytest.fixture
def refused_port() -> int:
    return free_port()


def _offline(data_dir: Path, **changes: str) -> Settings:
    keys = {"local_s3_access_key": "key", "local_s3_secret_key": SECRET}
    return fresh_settings(keys, data_dir, **changes)


def _as_aws(endpoints: dict[str, str], data_dir: Path) -> Settings:
    """The same service, reached as a store of one's own."""
    return fresh_settings(
        endpoints,
        data_dir,
        FRAUD_AWS="aws",
        AWS_ENDPOINT_URL_S3=endpoints["AWS_ENDPOINT_URL_S3"],
        MY_AWS_ACCESS_KEY_ID=endpoints["local_s3_access_key"],
        MY_AWS_SECRET_ACCESS_KEY=endpoints["local_s3_secret_key"],
    )
