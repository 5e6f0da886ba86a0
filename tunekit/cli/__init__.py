"""The command line: one short function per command. What is heavy is imported inside."""

import sys

from tunekit.cli import checks, hub, lists, runs, starting
from tunekit.cli import embed as embedding
from tunekit.cli.app import app, begin
from tunekit.console import out
from tunekit.errors import InputError, Interrupted, explain

__all__ = ["app", "begin", "main"]

COMMANDS = (  # in the order of --help
    *(starting.init, checks.check),
    *(runs.finetune, runs.evaluate, runs.predict, embedding.embed),
    *(hub.push, hub.fetch, hub.reproduce),
    *(lists.recipes, lists.tasks, lists.schema, starting.doctor),
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command; every error ends as one message and its exit code."""
    try:
        code = app(standalone_mode=False)
    except SystemExit:
        raise
    except BaseException as error:
        if "--debug" in sys.argv:
            out.trace()
        usage = getattr(error, "format_message", None)  # an error of the command line itself
        message, code = (usage(), 2) if usage else explain(error)
        if out.speaks or not isinstance(
            error, InputError | Interrupted
        ):  # which all processes of a run raise
            out.error(message)
    sys.exit(code if isinstance(code, int) else 0)
