"""The command line: `fraud-platform COMMAND`. Says what to do; the commands themselves are in `commands/`.

Whatever is heavy is imported inside the command that needs it, so that help and mistakes answer at once.
"""

import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fraud_platform.commands.opening import open_console as _console
from fraud_platform.commands.opening import open_settings as _settings
from fraud_platform.commands.rules_app import rules
from fraud_platform.errors import FraudPlatformError

PROGRAM = "fraud-platform"
FAILED, INTERRUPTED = 1, 130
LOG_LINES = 100


class _OneSentence(TyperGroup):
    """Turns what goes wrong on purpose into one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit 1 for our errors, 130 for Ctrl-C."""
        try:
            return super().invoke(ctx)
        except FraudPlatformError as error:
            typer.echo(f"{PROGRAM}: {error}", err=True)
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            typer.echo("\nInterrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name=PROGRAM,
    cls=_OneSentence,
    help="Real-time bank-fraud detection: Dagster on Apache Kafka, every transaction accounted for.",
    no_args_is_help=True,
    add_completion=False,
    # Plain text: the decorated one costs more than the rest of the start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(rules, name="rules")

StageName = Annotated[str, typer.Argument(metavar="STAGE", help="banks, ingestion, projection, ...")]


def main() -> None:
    """Run the command line of this process."""
    # Libraries' log lines are for services; what a person must know is said by the commands.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app(prog_name=PROGRAM)
    except BrokenPipeError:
        _hush()


# The platform ---------------------------------------------------------------------------------------


@app.command()
def up(
    demo: Annotated[
        bool | None, typer.Option("--demo/--no-demo", help="Demo banks on or off; default: on embedded Kafka only.")
    ] = None,
    dagster: Annotated[
        bool, typer.Option("--dagster/--no-dagster", help="Run Dagster too, or leave it to a `dagster dev` of yours.")
    ] = True,
) -> None:
    """Start everything and wait until it works; again: mend what died."""
    from fraud_platform.commands import stack, stages

    settings, console = _settings(), _console()
    hooks = stages.hooks(demo)
    running = stack.up(settings, demo=bool(demo), dagster=dagster, console=console, stages=hooks)
    if not dagster:
        hooks.begin(running, bool(demo))


@app.command()
def down() -> None:
    """Stop everything in order; the data stay."""
    from fraud_platform.commands import stack, stages

    settings, console = _settings(), _console()
    stages.end_foreign_runs(settings, console)
    stack.down(settings, console=console, stages=stages.hooks(None))


@app.command()
def status(json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show services, stages (slots, lag, rate, last ledger entry) and dead letters."""
    from fraud_platform.commands.status_view import status as show

    show(_settings(), _console(), as_json=json)


@app.command()
def alerts(
    test: Annotated[bool, typer.Option("--test", help="Send a test message through every channel.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what is wrong now; exit 0 when nothing is, as far as can be known."""
    from fraud_platform.commands import alerts as commands

    if test:
        raise typer.Exit(commands.try_channels(_settings(), _console()))
    raise typer.Exit(commands.alerts(_settings(), _console(), as_json=json))


@app.command()
def logs(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="kafka, registry, mongod, dagster-code, ...")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
) -> None:
    """Print the end of a service's log."""
    from fraud_platform.commands import stack

    stack.logs(_settings(), service, follow=follow, lines=LOG_LINES, write=_write_at_once)


@app.command()
def doctor() -> None:
    """Say what is wrong and how to mend it; exit 0 when all is well."""
    from fraud_platform.commands.doctor import doctor as examine

    raise typer.Exit(examine(_console(), environment=dict(os.environ)))


@app.command()
def env() -> None:
    """Print `export` lines, so that other clients find the running stack: eval "$(fraud-platform env)"."""
    from fraud_platform.commands.env import env as lines

    typer.echo("\n".join(lines(_settings())))


# Stages ---------------------------------------------------------------------------------------------


@app.command()
def start(stage: StageName) -> None:
    """Switch a stage on and wait until it works."""
    from fraud_platform.commands import stages

    stages.start(_settings(), stage, _console())


@app.command()
def stop(stage: StageName) -> None:
    """Drain a stage and keep it down until it is started again."""
    from fraud_platform.commands import stages

    stages.stop(_settings(), stage, _console())


@app.command()
def restart(stage: StageName) -> None:
    """Drain a stage and start it with the present settings and code."""
    from fraud_platform.commands import stages

    stages.restart(_settings(), stage, _console())


# Data -----------------------------------------------------------------------------------------------


@app.command()
def topic(
    name: Annotated[str, typer.Argument(metavar="NAME", help="fraudulent-transactions-result, users, ledger, ...")],
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="The first records, not the last.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many records; default: the last 10.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new records.")] = False,
    envelope: Annotated[bool, typer.Option("--envelope", help="With partition, offset, key and headers.")] = False,
) -> None:
    """Print a topic's records, one JSON value a line."""
    from fraud_platform.commands.topic import topic as show

    code = show(
        _settings(),
        name,
        from_beginning=from_beginning,
        limit=limit,
        follow=follow,
        envelope=envelope,
        out=sys.stdout,
    )
    raise typer.Exit(code)


@app.command()
def send(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="FILE.jsonl, transfers; FILE.csv, statement lines; - standard input.")
    ],
    labels: Annotated[
        bool, typer.Option("--labels", help="The file holds labels: which transactions were fraud.")
    ] = False,
    sort: Annotated[bool, typer.Option("--sort", help="Send in the order of event time.")] = False,
) -> None:
    """Send JSON lines to bank-transactions or CSV to transaction.input; bad lines are listed, not sent."""
    from fraud_platform.commands.send import send as submit

    raise typer.Exit(submit(_settings(), file, _console(), labels=labels, sort=sort))


@app.command()
def query(
    engine: Annotated[str, typer.Argument(metavar="ENGINE", help="athena or mongo")],
    name_or_text: Annotated[
        str | None, typer.Argument(metavar="[NAME|TEXT]", help="A ready query or your own; none lists the ready ones.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    limit: Annotated[
        int | None, typer.Option(help="At most so many rows, 0 = all; default: 1,000 in a table, else all.")
    ] = None,
) -> None:
    """Run a ready query or your own: SQL over the lake, or 'db.transactions.find({})'."""
    from fraud_platform.commands.query import query as ask

    raise typer.Exit(ask(_settings(), engine, name_or_text, as_json=json, as_csv=csv, limit=limit, console=_console()))


@app.command()
def compact(
    full: Annotated[bool, typer.Option("--full", help="Look at the objects of every closed hour.")] = False,
) -> None:
    """Turn the lake's small objects of closed hours into columnar files now; Dagster does so each hour."""
    from fraud_platform.commands.compact import compact as run

    raise typer.Exit(run(_settings(), full=full, console=_console()))


@app.command()
def books(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ledger: Annotated[bool, typer.Option("--ledger", help="The ledger alone; no comparison of the stores.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Forget the sealed sums and read the ledger from its beginning.")
    ] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Take what is off in the ledger and between stages as known from now on.")
    ] = False,
) -> None:
    """Say whether every record is accounted for and the stores hold what the topics hold; exit 0 when so."""
    from fraud_platform.commands.books import books as examine

    raise typer.Exit(examine(_settings(), _console(), as_json=json, ledger_only=ledger, rebuild=rebuild, settle=settle))


@app.command()
def explain(
    transaction_id: Annotated[str, typer.Argument(metavar="TRANSACTION_ID", help="As the bank or the file gave it.")],
    whole: Annotated[bool, typer.Option("--all", help="Read the inputs whole, for copies from other times.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell what became of a transaction: its way through the stages, who decided, and why."""
    from fraud_platform.commands.explain import explain as tell

    raise typer.Exit(tell(_settings(), transaction_id, _console(), whole=whole, as_json=json))


@app.command()
def replay(
    *,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601; by the time of the records in Kafka.")
    ] = None,
    last: Annotated[str | None, typer.Option("--last", metavar="DURATION", help="Instead: 1h, 7d, ...")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Default: now.")] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules", metavar="VERSION|FILE", help="Default: each decision's own, which proves that it repeats."
        ),
    ] = None,
    warm: Annotated[
        str | None,
        typer.Option("--warm", metavar="DURATION|all", help="History to begin with; default: as the windows need."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Judge the raw log again: prove the stored decisions, or tell what other rules would change."""
    from fraud_platform.commands.replay import run

    code = run(_settings(), _console(), start=start, last=last, end=end, rules=rules, warm=warm, as_json=json)
    raise typer.Exit(code)


# ----------------------------------------------------------------------------------------------------


def _write_at_once(text: str) -> None:
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def _hush() -> None:
    """The reader of our output left: neither a complaint now nor one from the flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(FAILED)
