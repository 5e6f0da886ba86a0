"""May this account push there? Asked before training, so that it is not found out hours later."""

from typing import Any

from tunekit.console import out
from tunekit.errors import EnvironmentFailure, InputError, listing
from tunekit.hub.target import Target
from tunekit.network import LOG_IN, TOKENS, client, reaching, refuse_offline


def check_target(target: Target) -> None:
    """Refuse a target that this account cannot push to, or that others could see against its wish.

    Raises:
        InputError: the repository is public, and the run was to be private.
        EnvironmentFailure: there is no token, it has no rights, or the Hub cannot be reached.
    """
    refuse_offline(f"pushing to {target.repo}")
    with reaching("repository", target.repo):
        api = client()
        check_account(api, target)
        check_visibility(found(api, target), target)


def check_account(api: Any, target: Target) -> None:
    """Refuse an account without a token, without rights to write, or outside of the namespace.

    Raises:
        EnvironmentFailure: it is one of these.
    """
    from huggingface_hub import get_token

    if not get_token():
        raise EnvironmentFailure(f"pushing to {target.repo} needs a token; {LOG_IN}")
    account = api.whoami()
    token = account.get("auth", {}).get("accessToken", {})
    if token.get("role") == "read":
        raise EnvironmentFailure(
            f"the token of {account['name']} can only read, and pushing to {target.repo} writes; make one "
            f"with write access at {TOKENS}, and {LOG_IN}"
        )
    own = [account["name"], *(each["name"] for each in account.get("orgs", ()))]
    if target.namespace not in own:
        raise EnvironmentFailure(
            f"this account cannot write to {target.namespace!r}, only to {listing(own)}; push to "
            f"{account['name']}/{target.repo.split('/')[1]}, or {LOG_IN} of another account"
        )


def found(api: Any, target: Target) -> Any:
    """What the Hub knows of the repository; None where there is none yet."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return api.model_info(target.repo)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None


def check_visibility(info: Any, target: Target) -> None:
    """Refuse to push a private run where everybody could see it; say so where a public one stays hidden.

    Raises:
        InputError: the repository exists and is public.
    """
    if info is not None and target.private and not info.private:
        raise InputError(
            f"repository {target.repo} exists and is public, and the run was to be private; give --public "
            "(in a recipe: hub.private: false) to push it there for all to see, or another name"
        )
    if info is not None and not target.private and info.private:
        out.warn(f"repository {target.repo} exists and is private; it stays so (its settings change that)")
