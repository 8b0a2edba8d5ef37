"""Which plugin API a plugin is served: the lowest that its manifest's `api` admits, of those its host has.

A plugin that says `>=1.0,<2` was written for 1.0 and is served 1.0, by every host and in its author's tests alike; one
that needs something newer says so, and a host without it refuses it by name before anything runs.
"""

from collections.abc import Callable, Iterable, Sequence

from assess_plugin.models import API_VERSIONS, CheckResult, HostError

WITHOUT_REMEDIATION = ("1.0",)
"""Plugin APIs whose results have no `remediation`."""


WITHOUT_CONNECT = ("1.0", "1.1")
"""Plugin APIs whose host has neither `connect` nor `secret`."""


WITHOUT_PROBLEMS = ("1.0", "1.1", "1.2")
"""Plugin APIs whose providers either find all subjects or fail."""


class ApiError(ValueError):
    """A plugin wants an API that its host does not have, or uses one that its manifest does not ask for."""


def served_api(admits: Callable[[str], bool], wanted: str, *, has: Sequence[str] = API_VERSIONS) -> str:
    """The lowest of these versions that `admits` accepts.

    Args:
        admits: whether the manifest's `api` admits a version.
        wanted: that `api`, for the message.
        has: the versions the host serves, rising.

    Raises:
        ApiError: it admits none of them.
    """
    found = next((version for version in has if admits(version)), None)
    if found is None:
        raise ApiError(f"needs plugin API {wanted}; this host has {', '.join(has)}")
    return found


def require_api(results: Iterable[CheckResult], api: str) -> None:
    """The results say nothing that the plugin API which was served has no word for.

    Raises:
        ApiError: one does, so that a plugin which uses what it does not ask for fails before it meets an older host.
    """
    if api in WITHOUT_REMEDIATION:
        for result in results:
            if result.remediation is not None:
                raise ApiError(
                    f"result of {result.check_id!r} has a remediation, which plugin API {api} has not: a manifest "
                    'that needs it begins at 1.1, as in `api = ">=1.1,<2"`'
                )


def require_found_api(problems: Iterable[str], api: str) -> None:
    """The plugin API that is served lets a provider find some subjects and say what it could not find, or it found all.

    Raises:
        ApiError: as for `require_api`.
    """
    if api in WITHOUT_PROBLEMS and any(True for _ in problems):
        raise ApiError(
            f"EvaluateResult has problems, which plugin API {api} has not: a manifest that needs them begins at 1.3, "
            'as in `api = ">=1.3,<2"`'
        )


def require_host_call(name: str, api: str) -> None:
    """The plugin API that is served has this method of the host, which came with 1.2.

    Raises:
        HostError: it has not; says what the manifest must ask for.
    """
    if api in WITHOUT_CONNECT:
        raise HostError(
            f'plugin API {api} has no host.{name}: a manifest that needs it begins at 1.2, as in `api = ">=1.2,<2"`'
        )
