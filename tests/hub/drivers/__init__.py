"""What the unmodified clients do against a Hub: one process a module, which tells what it saw as JSON."""

import json
from collections.abc import Callable
from typing import Any


def caught(work: Callable[[], Any]) -> dict[str, Any]:
    """The error that something ends with."""
    try:
        found = work()
    except Exception as error:
        response = getattr(error, "response", None)
        names = [kind.__name__ for kind in type(error).__mro__]
        status = getattr(response, "status_code", None)
        headers = dict(response.headers) if response is not None else {}
        return {"kinds": names, "status": status, "text": str(error), "headers": headers}
    return {"kinds": [], "status": None, "text": f"no error but {found!r}", "headers": {}}


def tell(facts: dict[str, Any]) -> None:
    """Write what was seen."""
    print(json.dumps(facts))
