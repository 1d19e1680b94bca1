"""The doctor's look into the stores: were they filled by this platform, and from this broker's topics?"""

from collections.abc import Callable, Iterator, Mapping

from fraud_platform.commands.finding import Finding, ok, problem
from fraud_platform.settings import Settings

_OTHER_DATABASE = "Choose another database with FRAUD_MONGODB_DATABASE, or drop {what} once nobody needs it."
_OTHER_BUCKET = "Choose another bucket with FRAUD_LAKE_BUCKET, or move those objects away."


def mongodb(settings: Settings) -> Finding:
    """Documents of a sink that made `_id` itself: ours would stand beside them, under other ids."""
    from fraud_platform.adapters.mongo_layout import MANY, strangers
    from fraud_platform.documents.collections import COLLECTIONS

    found = strangers(settings, {each.name: each.unique for each in COLLECTIONS.values()})
    if not found:
        return ok("MongoDB's content", "no documents of another sink")
    parts = [
        f"{each.collection} holds {'at least ' if each.count >= MANY else ''}{each.count} documents of another sink"
        + (f", some with the same {each.repeats}" if each.repeats else "")
        for each in found
    ]
    names = " and ".join(each.collection for each in found)
    why = "their _id is an ObjectId, so that ours would stand beside them"
    return problem("MongoDB's content", f"{'; '.join(parts)} ({why}).", _OTHER_DATABASE.format(what=names))


def s3(settings: Settings) -> Finding:
    """Objects below `partition=N`, as Kafka Connect's sink writes them: a crawler would read both layouts."""
    from fraud_platform.adapters.s3 import S3ObjectStore
    from fraud_platform.core.partitioning import topic_prefix

    store = S3ObjectStore(settings)
    for topic in _wire_topics(settings):
        for each in store.list(f"{topic_prefix(topic)}partition="):
            folder = each.key.rpartition("/")[0]
            return problem(
                "S3's content",
                f"The bucket {settings.lake_bucket} holds objects of another sink ({folder}/): ours go by hour,"
                " and a table over both would count rows twice.",
                _OTHER_BUCKET,
            )
    return ok("S3's content", "no objects of another sink")


def broker(settings: Settings) -> Finding:
    """Stores that were filled from topics that this broker does not have: it was wiped, or is another one."""
    from fraud_platform.adapters.topic_identity import topic_ids
    from fraud_platform.topology import DOCUMENTS

    present = topic_ids(settings, DOCUMENTS)
    for store, read in _CLAIMS.items():
        for topic, (name, topic_id) in read(settings).items():
            if present.get(topic, "") != topic_id or name != topic:
                return problem(
                    "Kafka's topics",
                    f"{store} was filled from another topic {topic} than this broker has (it was made anew, or"
                    " this is another Kafka), so that the sinks refuse to write.",
                    "Go back to the old broker's data, or choose another FRAUD_MONGODB_DATABASE and"
                    " FRAUD_LAKE_BUCKET and let the sinks read from the beginning.",
                )
    return ok("Kafka's topics", "those that the stores were filled from")


def _in_mongodb(settings: Settings) -> dict[str, tuple[str, str]]:
    from fraud_platform.adapters.mongo_layout import claims
    from fraud_platform.documents.collections import COLLECTIONS

    stored = claims(settings)
    wire = {each.name: settings.naming.topic(topic) for topic, each in COLLECTIONS.items()}
    return {wire[name]: noted for name, noted in stored.items() if name in wire}


def _in_s3(settings: Settings) -> dict[str, tuple[str, str]]:
    from fraud_platform.adapters.s3 import S3ObjectStore
    from fraud_platform.lake.stage import stored_identity

    store = S3ObjectStore(settings)
    noted = {topic: stored_identity(store, topic) for topic in _wire_topics(settings)}
    return {topic: identity for topic, identity in noted.items() if identity is not None}


def _wire_topics(settings: Settings) -> Iterator[str]:
    from fraud_platform.topology import LAKE

    return (settings.naming.topic(topic) for topic in LAKE.reads)


_CLAIMS: Mapping[str, Callable[[Settings], Mapping[str, tuple[str, str]]]] = {
    "MongoDB": _in_mongodb,
    "S3": _in_s3,
}
