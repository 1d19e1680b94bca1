"""What Dagster 1.13's `delete_run` leaves behind, and the one look at checks that its API lacks.

Results of checks have no deletion at all; SQLite keeps the tags of a deleted run (it does not follow foreign keys
unless asked to) and the database file that each run has for itself; what a run has printed stays where it is kept.
"""

from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.runs.schema import RunTagsTable
from sqlalchemy import delete, func, select

_CHECKS = AssetCheckExecutionsTable.c
_FILE_ENDINGS = ("", "-wal", "-shm", "-journal")


def check_holders(instance: DagsterInstance) -> set[str]:
    """The runs that hold the newest result of each check, and the newest look at it, which may lack one."""
    events = instance.event_log_storage
    if not isinstance(events, SqlEventLogStorage):
        return set()
    newest = select(func.max(_CHECKS.id)).group_by(_CHECKS.asset_key, _CHECKS.check_name)
    results = newest.where(_CHECKS.execution_status != AssetCheckExecutionRecordStatus.PLANNED.value)
    holders = select(_CHECKS.run_id).where(_CHECKS.id.in_(newest) | _CHECKS.id.in_(results))
    with events.index_connection() as connection:
        return set(connection.execute(holders).scalars())


def delete_run(instance: DagsterInstance, run_id: str) -> None:
    """Delete the run and all that belongs to it; the run itself goes last, so what is cut off can be done again."""
    events, runs = instance.event_log_storage, instance.run_storage
    if isinstance(events, SqlEventLogStorage):
        with events.index_connection() as connection:
            connection.execute(delete(AssetCheckExecutionsTable).where(_CHECKS.run_id == run_id))
    events.delete_events(run_id)
    if isinstance(events, SqliteEventLogStorage):
        for ending in _FILE_ENDINGS:
            Path(events.path_for_shard(run_id) + ending).unlink(missing_ok=True)
        events._initialized_dbs.discard(run_id)  # noqa: SLF001 - else a second question finds a file without tables
    if isinstance(runs, SqlRunStorage):
        with runs.connect() as connection:
            connection.execute(delete(RunTagsTable).where(RunTagsTable.c.run_id == run_id))
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    runs.delete_run(run_id)
