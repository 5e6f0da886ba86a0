"""The launcher around two processes that act as they are told, as a command of its own."""

import sys
import tempfile

from tunekit.errors import TunekitError
from tunekit.launch.agent import make_agent
from tunekit.launch.relaunching import launch, prepare_environment

if __name__ == "__main__":
    prepare_environment(2)
    with tempfile.TemporaryDirectory() as folder:
        try:
            launch(make_agent(2, 0, folder, ["-m", "tests.launch.acting", sys.argv[1]]))
        except TunekitError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
