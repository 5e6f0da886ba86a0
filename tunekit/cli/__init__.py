"""The command line: one short function per command. What is heavy is imported inside."""

import sys

from tunekit.cli import checks, compare, hub, lists, runs, starting
from tunekit.cli import embed as embedding
from tunekit.cli.app import app, begin
from tunekit.console import out
from tunekit.errors import explain
from tunekit.launch import follow_launcher, leave, report

__all__ = ["app", "begin", "main"]

COMMANDS = (  # in the order of --help
    *(starting.init, checks.check),
    *(runs.finetune, runs.evaluate, runs.predict, embedding.embed),
    compare.compare,
    *(hub.push, hub.fetch, hub.reproduce),
    *(lists.recipes, lists.tasks, lists.schema, starting.doctor),
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command; every error ends as one message and its exit code."""
    follow_launcher()
    try:
        code = app(standalone_mode=False)
        leave()
    except SystemExit:
        raise
    except BaseException as error:
        if "--debug" in sys.argv:
            out.trace()
        usage = getattr(error, "format_message", None)  # an error of the command line itself
        message, code = (usage(), 2) if usage else explain(error)
        report(error, message, code)
    sys.exit(code if isinstance(code, int) else 0)
