"""`fraud-platform rules COMMAND`: says what to do; what is done is in `commands/rules.py`."""

from typing import Annotated

import typer

from fraud_platform.commands.opening import open_console, open_settings

rules = typer.Typer(help="Change the rules of a running platform.", no_args_is_help=True, rich_markup_mode=None)

File = Annotated[str, typer.Argument(metavar="FILE", help="A rule set as YAML or JSON; docs/rules.md.")]
Version = Annotated[
    str | None, typer.Argument(metavar="[VERSION]", help="As `rules history` shows it, or its first letters.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the history.")]


@rules.command()
def check(file: File) -> None:
    """Check a rule set; every fault is told with its line."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.check(file, open_console()))


@rules.command()
def diff(
    file: File,
    against: Annotated[
        str | None, typer.Option("--against", metavar="VERSION", help="Default: the active one.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what publishing a rule set would change."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.diff(open_settings(), file, open_console(), against=against, as_json=json))


@rules.command()
def publish(
    file: File,
    note: Note = "",
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="VERSION", help="Only if this version is active.")
    ] = None,
) -> None:
    """Make a rule set the active one; running consumers switch without a restart."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.publish(open_settings(), file, open_console(), note=note, expect=expect))


@rules.command()
def rollback(version: Version = None, note: Note = "") -> None:
    """Make an earlier version active again; without a name the one before."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.rollback(open_settings(), version, open_console(), note=note))


@rules.command()
def history(json: Json = False) -> None:
    """List every rule set that was published: when, by whom, why."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.history(open_settings(), open_console(), as_json=json))


@rules.command()
def show(version: Version = None, json: Json = False) -> None:
    """Show the rules of the active version or another; --json prints a file that can be edited and published."""
    from fraud_platform.commands import rules as commands

    raise typer.Exit(commands.show(open_settings(), version, open_console(), as_json=json))
