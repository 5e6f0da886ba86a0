"""Who this machine is on the Hub: whether there is a token, whose it is, and what it may do; never which."""

import os
from typing import Any

from tunekit import network
from tunekit.errors import TunekitError

PATIENCE = "10"  # seconds that the Hub has to say who somebody is


def account() -> dict[str, Any]:
    """The account as plain data; what cannot be found out is said, and is no failure."""
    from huggingface_hub import get_token

    if get_token() is None:
        said = f"no token: public models and data can be read; to push, or for private ones, {network.LOG_IN}"
        return {"token": False, "user": None, "role": None, "said": said}
    found = {"token": True, "user": None, "role": None}
    origin = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "a login"
    if network.offline():
        return found | {
            "said": f"there is a token (of {origin}); offline, so that the Hub was not asked whose"
        }
    try:
        about = who()
    except TunekitError as failure:
        return found | {"said": f"there is a token (of {origin}), but {failure}"}
    except ValueError:
        return found | {"said": f"there is a token (of {origin}), but what answered is not the Hub"}
    role = about.get("auth", {}).get("accessToken", {}).get("role", "")
    may = {"read": "may read", "write": "may read and write"}.get(role, "may do what it was made for")
    return {
        "token": True,
        "user": about.get("name"),
        "role": role or None,
        "said": f"logged in as {about.get('name')} (token of {origin}); it {may}",
    }


def who() -> dict[str, Any]:
    """What the Hub says of the account.

    Raises:
        TunekitError: it does not answer, or not to this token.
    """
    os.environ.setdefault("TUNEKIT_HUB_TIMEOUT", PATIENCE)
    with network.reaching("the question", "who am I"):
        found: dict[str, Any] = network.client().whoami()
    return found
