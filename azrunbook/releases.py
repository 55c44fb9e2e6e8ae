"""Helm releases of one cluster: read, preview, install, roll back, repair what a kill left.

A synchronous face over pyhelm3, by :mod:`azrunbook.helm_process`. Starts helm, which talks to the
cluster of one kubeconfig context. The kubeconfig stays in its file and values go by stdin, so
nothing secret is on a command line; pyhelm3's ``kubetoken`` and ``disable_validation`` are not
used (one shows, the other breaks).
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from azrunbook import binaries, errors, helm_process, manifests, plan, wait

_T = TypeVar("_T")
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})
_CHART = re.compile(r"(?P<name>.+)-(?P<version>v?\d+\.\d+\.\d+.*)")
_HISTORY_KEPT = 10
_QUICK_SECONDS = 60.0
_GRACE_SECONDS = 30.0  # beyond helm's own timeout, for a helm that does not end by itself
_PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.5
# How helm's first look at a cluster ends when either refuses the other; nothing was done yet.
_REFUSED = re.compile(r"cluster unreachable: .*(asked for the client to provide credentials|tls: )")


@dataclass(frozen=True)
class Release:
    """A release as it is; ``status`` is Helm's word (``deployed``, ``failed``, ``pending-…``)."""

    name: str
    namespace: str
    revision: int
    status: str
    chart_name: str
    chart_version: str
    app_version: str


@dataclass(frozen=True)
class Revision:
    """One entry of a release's history; ``updated_at`` is when Helm wrote it (RFC 3339)."""

    number: int
    status: str
    chart: str
    app_version: str
    description: str
    updated_at: str = ""


class Releases:
    """The releases of one cluster, by one ``helm`` binary (3.17 or newer, or any 4).

    ``renew`` writes the kubeconfig anew when the cluster refuses the credential in it; helm asks
    for that before it does anything, so it is then started again.
    """

    def __init__(
        self,
        kubeconfig: Path,
        context: str,
        helm: Path,
        *,
        renew: Callable[[], object] | None = None,
    ) -> None:
        import pyhelm3

        self._renew = renew
        self._arguments = ["--kubeconfig", str(kubeconfig), "--kube-context", context]
        self._helm = str(helm)
        self._command = helm_process.make_command(
            executable=str(helm),
            history_max_revisions=_HISTORY_KEPT,
            kubeconfig=kubeconfig,
            kubecontext=context,
        )
        self._client = pyhelm3.Client(self._command, executable=str(helm))
        self._is_helm_3 = self._client.version.major < 4  # noqa: PLR2004 - the major itself

    def list(self, namespace: str = "") -> tuple[Release, ...]:
        """List the releases of a namespace, or of all, in any status; none without a namespace."""
        # Helm 4 lists every status unless told otherwise, and knows --all no more.
        found = self._run(
            f"list releases in {namespace or 'all namespaces'}",
            lambda: self._client.list_release_definitions(
                all=self._is_helm_3,
                all_namespaces=not namespace,
                include_deployed=self._is_helm_3,
                namespace=namespace or None,
            ),
        )
        return tuple(map(_describe, found))

    def find(self, name: str, namespace: str) -> Release | None:
        return next((one for one in self.list(namespace) if one.name == name), None)

    def list_revisions(self, name: str, namespace: str) -> tuple[Revision, ...]:
        """List the history of a release, oldest first.

        Raises:
            NotFoundError: no such release.
        """
        found = self._run(
            f"history of {name}", lambda: self._command.history(name, namespace=namespace)
        )
        return tuple(
            Revision(
                number=one["revision"],
                status=one["status"],
                chart=one["chart"],
                app_version=one.get("app_version", ""),
                description=one.get("description", ""),
                updated_at=one.get("updated", ""),
            )
            for one in found
        )

    def get_values(self, name: str, namespace: str) -> dict[str, Any]:
        """Read the values a release was given, without the chart's defaults.

        Raises:
            NotFoundError: no such release.
        """
        return self._run(
            f"values of {name}", lambda: self._command.get_values(name, namespace=namespace)
        )

    def list_objects(self, name: str, namespace: str) -> tuple[manifests.Object, ...]:
        """List the objects that a release says there are, as Helm rendered them; hooks are not.

        Raises:
            CommandError: no such release.
        """
        return tuple(manifests.read(self._read_manifest(name, namespace)))

    def preview(
        self,
        current: Release | None,
        name: str,
        namespace: str,
        chart: Path,
        values: Mapping[str, Any],
    ) -> tuple[plan.PropertyChange, ...]:
        """List what releasing would change in the cluster; changes nothing.

        ``current`` is the release as :meth:`find` gave it; asking again is a run of helm more. A
        deployed release is rendered against the cluster, so that a chart that asks for the
        cluster's abilities gives the same answer as when it is released. A release in a pending
        status has to be repaired first and shows everything as new.

        Raises:
            CommandError: the chart refuses the values, or the cluster does not answer.
        """
        if current is None or current.status in PENDING:
            before: list[manifests.Object] = []
            after = manifests.read(self._render_new(name, namespace, chart, values))
        else:
            before = manifests.read(self._read_manifest(name, namespace))
            after = manifests.read(self._render_upgrade(name, namespace, chart, values))
        return manifests.compare(before, after, namespace=namespace)

    def install_or_upgrade(
        self,
        name: str,
        namespace: str,
        chart: Path,
        values: Mapping[str, Any],
        *,
        timeout: float,
        takes_over: bool = False,
    ) -> Release:
        """Release a chart and wait until it is rolled out; takes itself back when it fails.

        Makes the namespace.

        Args:
            name: of the release.
            namespace: of the release.
            chart: a folder or archive.
            values: the whole values.
            timeout: for the rollout, in seconds.
            takes_over: put fields back that others have changed since. Helm 3 always does; Helm 4
                refuses unless told, because another manager owns them.

        Raises:
            CommandError: helm failed; what it had changed is rolled back (or uninstalled).
        """

        async def release() -> None:
            loaded = await self._client.get_chart(chart)
            await self._client.install_or_upgrade_release(
                name,
                loaded,
                dict(values),
                namespace=namespace,
                create_namespace=True,
                wait=True,
                timeout=_as_duration(timeout),
                # The flag has another name in Helm 4; pyhelm3 warns of the other one.
                atomic=self._is_helm_3,
                rollback_on_failure=not self._is_helm_3,
                **({} if self._is_helm_3 else {"force_conflicts": takes_over}),
            )

        self._run(f"release {name}", release, timeout + _GRACE_SECONDS)
        return self._get(name, namespace)

    def roll_back(self, name: str, namespace: str, revision: int, *, timeout: float) -> Release:
        """Bring a release back to a revision and wait for it; ``timeout`` in seconds.

        Raises:
            NotFoundError: no such release.
            CommandError: helm failed.
        """
        self._run(
            f"roll back {name} to revision {revision}",
            lambda: self._command.rollback(
                name, revision, namespace=namespace, wait=True, timeout=_as_duration(timeout)
            ),
            timeout + _GRACE_SECONDS,
        )
        return self._get(name, namespace)

    def uninstall(self, name: str, namespace: str, *, timeout: float) -> None:
        """Remove a release and wait until its objects are gone; one that is gone is as good."""
        self._run(
            f"uninstall {name}",
            lambda: self._client.uninstall_release(
                name, namespace=namespace, wait=True, timeout=_as_duration(timeout)
            ),
            timeout + _GRACE_SECONDS,
        )

    def repair_pending(
        self,
        name: str,
        namespace: str,
        *,
        timeout: float = 300,
        patience: float = _PATIENCE_SECONDS,
    ) -> str | None:
        """Repair a release that a killed client left half-way; says what was done, if anything.

        The client writes a release's last status, so a killed one leaves ``pending-…`` for ever,
        and every later upgrade is refused. What was deployed before comes back; what never was is
        removed. For ``patience`` seconds another client may still be at work and is let finish.

        Raises:
            CommandError: helm failed.
        """
        current = self._wait_while_pending(name, namespace, patience)
        if current is None or current.status not in PENDING:
            return None
        deployed = [
            one.number
            for one in self.list_revisions(name, namespace)
            if one.status == "deployed" and one.number != current.revision
        ]
        found = f"{name} was left in {current.status} (revision {current.revision})"
        if deployed and current.status != "uninstalling":
            self.roll_back(name, namespace, deployed[-1], timeout=timeout)
            return f"{found}: rolled back to revision {deployed[-1]}"
        self.uninstall(name, namespace, timeout=timeout)
        return f"{found}: removed, nothing of it was deployed"

    def _wait_while_pending(self, name: str, namespace: str, patience: float) -> Release | None:
        def look() -> wait.Seen[Release | None]:
            found = self.find(name, namespace)
            status = found.status if found else "not installed"
            return wait.Seen(found, status not in PENDING, status)

        try:
            return wait.wait_until(
                look, what=f"{name} settled", timeout=patience, interval=_LOOK_SECONDS
            )
        except errors.WaitTimeoutError:
            return self.find(name, namespace)

    def _get(self, name: str, namespace: str) -> Release:
        found = self.find(name, namespace)
        if found is None:
            raise errors.NotFoundError(f"no release {name} in {namespace}: somebody removed it")
        return found

    def _read_manifest(self, name: str, namespace: str) -> str:
        return self._helm_run("get", "manifest", name, "--namespace", namespace)

    def _render_new(self, name: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> str:
        return self._helm_run(
            "template", name, str(chart), "--namespace", namespace, "--skip-crds",
            "--values", "-", stdin=values,
        )  # fmt: skip

    def _render_upgrade(
        self, name: str, namespace: str, chart: Path, values: Mapping[str, Any]
    ) -> str:
        text = self._helm_run(
            "upgrade", name, str(chart), "--namespace", namespace, "--dry-run=server",
            "--output", "json", "--values", "-", stdin=values,
        )  # fmt: skip
        return str(json.loads(text[text.index("{") :])["manifest"])

    def _helm_run(self, *arguments: str, stdin: Mapping[str, Any] | None = None) -> str:
        return self._renewing(
            lambda: binaries.run(
                [self._helm, *arguments, *self._arguments],
                stdin=None if stdin is None else json.dumps(stdin),
                timeout_seconds=_QUICK_SECONDS,
            )
        )

    def _renewing(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except errors.CommandError as error:
            if self._renew is None or not _REFUSED.search(error.stderr):
                raise
            self._renew()
            return act()

    def _run(
        self, what: str, act: Callable[[], Awaitable[_T]], timeout: float = _QUICK_SECONDS
    ) -> _T:
        """Run a coroutine of pyhelm3 to its end.

        Raises:
            NotFoundError: helm knows no such release.
            CommandError: helm failed, or did not end in time and was stopped.
        """
        return self._renewing(lambda: self._run_once(what, act, timeout))

    def _run_once(self, what: str, act: Callable[[], Awaitable[_T]], timeout: float) -> _T:
        from pyhelm3 import errors as helm_errors

        try:
            return helm_process.Portal.get().call(act, timeout)
        except helm_errors.ReleaseNotFoundError as error:
            raise errors.NotFoundError(f"{what}: helm knows no such release") from error
        except helm_errors.Error as error:
            raise errors.CommandError(
                ["helm", *what.split()],
                error.returncode,
                error.stdout.decode(errors="replace"),
                error.stderr.decode(errors="replace"),
            ) from error
        except TimeoutError as error:
            raise errors.CommandError(
                ["helm", *what.split()], -15, "", "", f"It was stopped after {timeout:g} s"
            ) from error


def _describe(body: Mapping[str, Any]) -> Release:
    chart = _CHART.fullmatch(body["chart"])
    return Release(
        name=body["name"],
        namespace=body["namespace"],
        revision=int(body["revision"]),
        status=body["status"],
        chart_name=chart["name"] if chart else body["chart"],
        chart_version=chart["version"] if chart else "",
        app_version=body.get("app_version", ""),
    )


def _as_duration(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"
