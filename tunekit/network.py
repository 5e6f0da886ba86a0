"""The Hub as tunekit reaches it: never without a time limit, and what goes wrong is said in words."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tunekit.errors import LONGEST_PATH, EnvironmentFailure, InputError, TunekitError, cut, first_line

SECONDS = 120.0  # without a byte, after which a request has failed; TUNEKIT_HUB_TIMEOUT is another number
LOG_IN = "set HF_TOKEN, or run hf auth login"
TOKENS = "https://huggingface.co/settings/tokens"
ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")  # of a repository
AT = re.compile(r"([\w.-]{1,96}(?:/[\w.-]{1,96})?)@([\w./-]+)")


def offline() -> bool:
    """Whether the network may not be used."""
    words = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(word.upper() in ("1", "ON", "YES", "TRUE") for word in words)


def patience() -> float:
    """Seconds without a byte after which a request has failed.

    Raises:
        InputError: the variable is no number of seconds.
    """
    given = os.environ.get("TUNEKIT_HUB_TIMEOUT") or str(SECONDS)
    if not re.fullmatch(r"\d+(\.\d+)?", given) or not float(given):
        raise InputError(f"TUNEKIT_HUB_TIMEOUT is {given!r}; give a number of seconds above 0")
    return float(given)


def at_revision(text: str) -> tuple[str, str | None]:
    """The name and the revision of `user/name@revision`; a text that is none, or a path here, is a name."""
    found = AT.fullmatch(text)
    return (found[1], found[2]) if found and not os.path.exists(text) else (text, None)


def called(what: str, name: str) -> str:
    """What a repository is called in messages."""
    return f"{what} {cut(name, LONGEST_PATH)!r}"


def limit_time() -> None:
    """Give every request of the Hub's client a time limit; by itself it waits for ever."""
    from huggingface_hub import get_session, set_client_factory

    session = get_session()
    make, hooks = type(session), session.event_hooks
    if limit in hooks["request"]:
        return
    limited = {**hooks, "request": [*hooks["request"], limit]}
    set_client_factory(lambda: make(event_hooks=limited, follow_redirects=True, timeout=patience()))


def limit(request: Any) -> None:
    """Limit one request: the client asks for no limit at some calls, and for its own at others."""
    limits = request.extensions.get("timeout", {})
    limits.update({part: min(patience(), limits[part] or patience()) for part in limits})


@contextmanager
def reaching(what: str, name: str, revision: str | None = None, aside: str = "") -> Iterator[None]:
    """Reach the Hub inside the block for `what` (model, data set) of a name; failures become ours.

    `aside` stands behind the name in what is said.

    Raises:
        InputError: the name or the revision is wrong.
        EnvironmentFailure: the network, the Hub or the account does not allow it.
    """
    limit_time()
    try:
        yield
    except TunekitError:
        raise
    except Exception as error:
        said = failure(error, called(what, name) + aside, name, revision)
        if said is None:
            raise
        raise said from error


def failure(error: BaseException, thing: str, name: str, revision: str | None) -> TunekitError | None:
    """What an exception of the Hub's clients means, in our words; None where it is none of theirs."""
    chain = list(chain_of(error))
    for each in chain:
        kinds, status = kinds_of(each), status_of(each)
        said = (
            of_offline(kinds, thing)
            or of_access(kinds, status, thing, name)
            or of_names(kinds, status, thing, revision, each)
            or of_server(kinds, status, thing, each)
        )
        if said:
            return said
    unread = [each for each in chain if "LocalEntryNotFoundError" in kinds_of(each)]
    return unreachable(thing, unread[0]) if unread else None


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An exception, and what caused it; libraries wrap those of the client in their own."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def kinds_of(error: BaseException) -> set[str]:
    """The names of an exception's classes: so no library is imported to ask, nor one of its versions."""
    return {kind.__name__ for kind in type(error).__mro__}


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception reports."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def absent(thing: str, lacking: str = "") -> EnvironmentFailure:
    """What is needed is not in the cache, or lacks something there, and cannot be fetched."""
    state = f"is not whole in the cache (it lacks {lacking})" if lacking else "is not in the cache"
    if not offline():
        return EnvironmentFailure(f"{thing} {state}, and the Hub cannot be reached; check the network")
    return EnvironmentFailure(
        f"{thing} {state}, and --offline or HF_HUB_OFFLINE forbids the network; fetch it on a machine that "
        "has one (tunekit fetch RECIPE), or leave them out"
    )


def unreachable(thing: str, error: BaseException) -> EnvironmentFailure:
    """The Hub does not answer."""
    return EnvironmentFailure(
        f"the Hub cannot be reached for {thing} ({first_line(error)}); check the network and its name, or "
        "give a local folder"
    )


def of_offline(kinds: set[str], thing: str) -> TunekitError | None:
    """The network is forbidden."""
    forbidden = "OfflineModeIsEnabled" in kinds or ("LocalEntryNotFoundError" in kinds and offline())
    return absent(thing) if forbidden else None


def of_access(kinds: set[str], status: int | None, thing: str, name: str) -> TunekitError | None:
    """The account may not do it."""
    if "GatedRepoError" in kinds:
        page = f"datasets/{name}" if thing.startswith("data set") else name
        return EnvironmentFailure(
            f"{thing} is gated; accept its terms at https://huggingface.co/{page}, and {LOG_IN}"
        )
    if kinds & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
        return InputError(
            f"{thing} does not exist on the Hub, or is private and this account may not see it; correct the "
            f"name, or {LOG_IN} of one that may"
        )
    if status == 401:
        return EnvironmentFailure(
            f"the Hub does not accept the token for {thing}: it is not valid, or has expired; make a new one "
            f"at {TOKENS}, and {LOG_IN}"
        )
    if status == 403:
        return EnvironmentFailure(
            f"the token has no rights to {thing}; make one that may read it, or to push one with write "
            f"access to {name.split('/')[0]}, at {TOKENS}, and {LOG_IN}"
        )
    return None


def of_names(
    kinds: set[str], status: int | None, thing: str, revision: str | None, error: BaseException
) -> TunekitError | None:
    """What was asked for does not exist, or exists already."""
    if "RevisionNotFoundError" in kinds:
        return InputError(
            f"{thing} has no revision {revision!r}; name a branch, a tag or a commit that it has"
        )
    if "RemoteEntryNotFoundError" in kinds:
        return InputError(f"{thing} lacks a file ({first_line(error)}); choose another one or revision")
    if kinds & {"HFValidationError", "HfUriError"}:
        return InputError(f"{thing} is no name that the Hub allows ({first_line(error)}); correct it")
    if status == 409:
        return InputError(f"{thing} exists already, or has just changed; look at it, and give another name")
    if status == 412:
        return EnvironmentFailure(
            f"{thing} has changed since it was looked at; look at what is there, and push again"
        )
    return None


def of_server(kinds: set[str], status: int | None, thing: str, error: BaseException) -> TunekitError | None:
    """The Hub or the way to it does not work."""
    if status == 429:
        wait = getattr(error, "response", None)
        seconds = wait.headers.get("Retry-After") if wait is not None else None
        when = f"in {seconds} seconds" if seconds else "in some minutes"
        return EnvironmentFailure(f"the Hub refuses {thing} for too many requests; try again {when}")
    if status is not None and status >= 500:
        return EnvironmentFailure(f"the Hub failed at {thing} (status {status}); try again in some minutes")
    if "TimeoutException" in kinds or "Timeout" in kinds:
        return EnvironmentFailure(
            f"the Hub did not answer about {thing} within {patience():g} seconds; try again, or set "
            "TUNEKIT_HUB_TIMEOUT to more seconds"
        )
    if kinds & {"TransportError", "ConnectionError"}:
        return unreachable(thing, error)
    if "Consistency check failed" in str(error):
        return EnvironmentFailure(f"a file of {thing} did not arrive whole; try again")
    if "HfHubHTTPError" in kinds:
        return EnvironmentFailure(f"the Hub refuses {thing} ({first_line(error)}); check the name and rights")
    return None


def refuse_offline(what: str) -> None:
    """Refuse what needs the network where it may not be used.

    Raises:
        EnvironmentFailure: it may not.
    """
    if offline():
        raise EnvironmentFailure(
            f"{what} needs the network, which --offline or HF_HUB_OFFLINE forbids; leave them out"
        )


def client() -> Any:
    """The Hub's client, with time limits."""
    from huggingface_hub import HfApi

    limit_time()
    return HfApi(library_name="tunekit")
