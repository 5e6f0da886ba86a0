"""The commands to begin with: a recipe for data of one's own, and whether this machine is well."""

from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Offline, Overrides, Quiet, begin
from tunekit.cli.lists import two_columns
from tunekit.cli.runs import roles_and_columns
from tunekit.console import out, table
from tunekit.errors import InputError

Invariance = Annotated[
    str | None, typer.Option(metavar="RECIPE", help="Show that a step is the same however it is divided.")
]
Resume = Annotated[
    str | None, typer.Option(metavar="RECIPE", help="Prove that its runs survive being killed.")
]


def init(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A file, a folder, or the Hub id of a data set.")
    ],
    overrides: Overrides = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="The task, where it cannot be guessed.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="ROLE=COLUMN, where it cannot be guessed.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="ID_OR_FOLDER", help="The checkpoint to start from.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The recipe's file; by default DATA's name.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that is there.")] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Ask before the task and columns are settled.")
    ] = False,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look at data, guess what they are for, and write a recipe that says why."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import init as starting

    place = starting.place_for(data, output, overwrite=overwrite)
    look = starting.inspect_data(data, overrides or [])
    seen, choice = starting.decide(look, task, roles_and_columns(column or []), ask if interactive else None)
    proposal = starting.propose(look, seen, choice, model)
    starting.write(proposal, place)
    document = {"recipe": str(place), **proposal.facts()}
    next_line = f"written: {place}. Next: tunekit check {place}, then tunekit finetune {place}"
    out.result(document, f"{two_columns(proposal.summary())}\n{next_line}")


def ask(question: str, expected: str) -> str:
    """Ask on the terminal; what is expected is the answer of who just presses the key."""
    return str(typer.prompt(question, default=expected, show_default=bool(expected), err=True))


def doctor(
    overrides: Overrides = None,
    resume: Resume = None,
    invariance: Invariance = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Keep the runs of --resume in this folder.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what this machine has and can, or prove on a recipe what is promised of every run."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    if resume and invariance:
        raise InputError("--resume and --invariance are both given; ask for one at a time")
    if resume:
        show_resume(resume, overrides or [], output)
    elif invariance:
        show_invariance(invariance, overrides or [])
    elif overrides or output:
        raise InputError("KEY=VALUE and --output are for --resume or --invariance; name a recipe with one")
    else:
        show_machine()


def show_machine() -> None:
    """Print what this machine has and can."""
    from tunekit import doctor as health

    document = health.examine()
    out.result(document, two_columns(health.described(document)))


def show_resume(recipe: str, overrides: list[str], output: Path | None) -> None:
    """Prove on a few steps of a recipe that a killed run ends with the bytes of a whole one."""
    from tunekit import doctor as trial
    from tunekit import recipe as recipes

    proof = trial.prove_resume(recipes.load(recipe, overrides, out.say), output)
    document = {"exact": proof.exact, "resumed_at": proof.resumed_at, "files": proof.files}
    rows = [[name, "equal" if equal else "differs"] for name, equal in proof.files.items()]
    out.result(document, f"{table(['file', 'killed and whole'], rows)}\n{trial.verdict(proof)}")
    if not proof.exact:
        raise typer.Exit(1)


def show_invariance(recipe: str, overrides: list[str]) -> None:
    """Show what the gradient of a step becomes when it is divided, here and by transformers' Trainer."""
    from tunekit import doctor as trial
    from tunekit import recipe as recipes

    found = trial.compare_cuts(recipes.load(recipe, overrides, out.say))
    out.result(found.facts(), f"{table(*found.table())}\n{found.verdict}")
    if not found.invariant:
        raise typer.Exit(1)
