"""What pushes of one run come to, against a Hub that fails as planned."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tunekit import workflow
from tunekit.console import out
from tunekit.errors import TunekitError
from tunekit.hub import sending

sending.WAITS = (0.01, 0.02, 0.03)  # seconds


def outcome(run: Path, repo: str, **options: Any) -> dict[str, Any]:
    """What a push says of itself."""
    try:
        return workflow.push(run, repo, **options).document()
    except TunekitError as error:
        return {"error": type(error).__name__, "code": error.exit_code, "text": str(error)}


def main() -> None:
    """Push a run as often as told, and tell what each push came to."""
    out.quiet = True
    run, cases = Path(sys.argv[1]), json.loads(os.environ["CASES"])
    found = {name: outcome(run, case.pop("repo"), **case) for name, case in cases.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
