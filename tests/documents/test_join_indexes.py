"""The ready join runs as it stands, and looks every user up by the index."""

from pathlib import Path

import pytest

from fraud_platform.adapters.mongo import Document, MongoStore
from fraud_platform.documents import ready, shell
from fraud_platform.documents.collections import COLLECTIONS
from tests.conftest import fresh_settings
from tests.documents.plans import lookups_of
from tests.rows import result, user


@pytest.mark.services
def test_the_join_reads_as_many_users_as_it_needs_and_no_more(
    service_endpoints: dict[str, str], tmp_path: Path
) -> None:
    settings = fresh_settings(service_endpoints, tmp_path)
    store = MongoStore(settings)
    for collection in COLLECTIONS.values():
        store.index(collection.name, unique=collection.unique, indexed=collection.indexed)
    store.write("users", [Document(f"u-{n}", 0, n, user(f"u-{n}")) for n in range(500)])
    store.write("transactions", [Document(f"t-{n}", 0, n, result(f"t-{n}")) for n in range(20)])
    try:
        (pipeline,) = shell.parse(ready.text("transactions-with-users")).arguments
        command = {"aggregate": "transactions", "pipeline": pipeline, "cursor": {}}
        plan = store._client[settings.mongodb_database].command("explain", command, verbosity="executionStats")
    finally:
        store._client.drop_database(settings.mongodb_database)
        store.close()
    cursor = plan["stages"][0]["$cursor"]
    lookups = list(lookups_of(cursor["queryPlanner"]))
    assert [(each["strategy"], each["indexName"]) for each in lookups] == [("IndexedLoopJoin", "ID_1")] * 2
    assert cursor["executionStats"]["totalDocsExamined"] == 20 + 20 + 20
