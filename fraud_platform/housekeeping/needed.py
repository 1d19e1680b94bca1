"""Which old runs Dagster's pages, the keepers and the checks still need."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import dagster as dg
from dagster import DagsterInstance, DagsterRun, RunsFilter

from fraud_platform.housekeeping import tables
from fraud_platform.orchestration import tags

_AT_ONCE = 500
"""Storage ids in one question; SQLite takes 999 variables."""
_KINDS = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION)

Fetch = Callable[..., dg.EventRecordsResult]


class Needed:
    """The runs that must stay however old they are.

    A run goes with its events, so these stay: the holders of the newest event of an asset, of each partition of an
    asset and of a check (else the page of it is empty), the newest run of each job, and the newest of each slot,
    from which its keeper goes on.
    """

    def __init__(self, instance: DagsterInstance) -> None:
        self._instance = instance
        self._holders = {*_asset_holders(instance), *tables.check_holders(instance)}
        self._newest: dict[tuple[str, str], str] = {}

    def __contains__(self, run: DagsterRun) -> bool:
        return run.run_id in self._holders or run.run_id in (self._newest_of_job(run), self._newest_of_slot(run))

    def _newest_of_job(self, run: DagsterRun) -> str:
        return self._ask(("job", run.job_name), RunsFilter(job_name=run.job_name))

    def _newest_of_slot(self, run: DagsterRun) -> str | None:
        slot = run.tags.get(tags.SLOT)
        return self._ask(("slot", slot), RunsFilter(tags={tags.SLOT: slot})) if slot else None

    def _ask(self, about: tuple[str, str], which: RunsFilter) -> str:
        if about not in self._newest:
            self._newest[about] = self._instance.get_run_records(which, limit=1)[0].dagster_run.run_id
        return self._newest[about]


def _asset_holders(instance: DagsterInstance) -> Iterator[str]:
    fetches: Sequence[Fetch] = (instance.fetch_materializations, instance.fetch_observations)
    for key in instance.get_asset_keys():
        for kind, fetch in zip(_KINDS, fetches, strict=True):
            yield from _runs(fetch(key, limit=1))
            by_partition = instance.get_latest_storage_id_by_partition(key, kind)
            yield from _partition_holders(key, by_partition.values(), fetch)


def _partition_holders(key: dg.AssetKey, storage_ids: Iterable[int], fetch: Fetch) -> Iterator[str]:
    ids = list(storage_ids)
    for some in (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)):
        yield from _runs(fetch(dg.AssetRecordsFilter(key, storage_ids=some), limit=len(some)))


def _runs(found: dg.EventRecordsResult) -> Iterator[str]:
    return (record.run_id for record in found.records)
