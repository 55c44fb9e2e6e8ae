"""The second engine: one root module, driven by the terraform (or tofu) binary.

Starts that binary in ``infra/<env>`` or ``kubernetes-config/<env>``; writes its working data and
saved plans below the folder it is given, and beside the configuration only, while a plan is made,
the ``import`` blocks of what it is to take in: terraform reads them nowhere else. Each target has a
workspace of its own, so that a sandbox's state is not Azure's.

* Applied is exactly the file that was planned and shown, bound by its digest.
* Nothing secret is on a command line: the credential goes as the path of its file, values as
  ``TF_VAR_…``. A saved plan holds secrets in the clear: its folder is 0700, and it is deleted
  once it is applied.
* A Ctrl-C, a deadline, a stopped run or the death of this process lets it end what is under way
  and keep its state (:mod:`azrunbook.json_lines`); whoever comes next waits for the state's lock.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azrunbook import (
    binaries,
    connection,
    errors,
    json_lines,
    plan,
    secrets,
    terraform_diagnostics,
    terraform_plans,
)
from azrunbook.resources import terraform_addresses

Tell = Callable[[str], None]
_QUICK_SECONDS = 120.0
_PLAN_SECONDS = 900.0
_APPLY_SECONDS = 5400.0
_PATIENCE_SECONDS = 120.0  # an earlier terraform of ours may still be ending
# What is worth telling a person of a stream of -json lines.
_TOLD = frozenset(
    {"apply_start", "apply_progress", "apply_complete", "apply_errored", "change_summary"}
)
_IMPORTS = "azrunbook_imports.tf"


@dataclass(frozen=True)
class PlanFile:
    """What applies a plan: the name of its file among the module's, and the file's SHA-256."""

    name: str
    digest: str


@dataclass(frozen=True)
class SavedPlan:
    """A plan to be shown, the file that applies it, and the addresses it takes into the state."""

    plan: plan.Plan
    file: PlanFile
    taken_in: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether applying it would change neither Azure nor the state."""
        return self.plan.is_empty and not self.taken_in


@dataclass(frozen=True)
class Output:
    """An output of a root module; a sensitive one does not show its value."""

    value: Any = field(repr=False)
    type: Any
    is_sensitive: bool

    def __str__(self) -> str:
        return terraform_plans.SENSITIVE if self.is_sensitive else json.dumps(self.value)


class Terraform:
    """One root module on one target.

    Args:
        folder: the root module.
        binary: terraform or tofu, 1.11 or newer.
        data: a folder for the working data, of this module and target alone.
        workspace: name of the state; the target's.
        environment: what the providers need to know (:func:`list_variables`).
    """

    def __init__(
        self,
        folder: Path,
        binary: Path,
        *,
        data: Path,
        workspace: str = "default",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._binary = binary
        self._data = data
        self._plans = data / "plans"
        self._workspace = workspace
        self._environment = {
            "TF_DATA_DIR": str(data / "data"),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            **(environment or {}),
        }

    @property
    def name(self) -> str:
        """``terraform`` or ``tofu``."""
        return self._binary.name

    def init(self, backend: Mapping[str, str] | None = None) -> None:
        """Install what the module needs and choose the target's workspace; forget earlier plans.

        ``backend`` holds settings of the backend, none of them secret.

        Raises:
            PreflightError: a provider or a module cannot be had, or the backend does not answer.
        """
        for folder in (self._data, self._plans):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for earlier in self._plans.glob("*.tfplan"):
            earlier.unlink()
        settings = [f"-backend-config={key}={value}" for key, value in (backend or {}).items()]
        command = ("init", "-json", "-reconfigure", *settings)
        failed = self._stream(command, timeout=_PLAN_SECONDS)
        if failed:
            why = terraform_diagnostics.explain_init(failed, self.name, self._folder)
            raise errors.PreflightError(why)
        try:
            self._run(("workspace", "select", "-or-create", self._workspace))
        except errors.CommandError as error:
            raise errors.PreflightError(
                f"workspace '{self._workspace}' of {self._folder} cannot be chosen: {error}"
            ) from error

    def validate(self) -> None:
        """Check the configuration without asking Azure.

        Raises:
            EstateError: it is wrong; every error with its place.
        """
        try:
            text = self._run(("validate", "-json"))
        except errors.CommandError as error:
            if not error.stdout.startswith("{"):
                raise
            text = error.stdout
        found = [terraform_diagnostics.read(one) for one in json.loads(text)["diagnostics"]]
        wrong = [str(one) for one in found if one.is_error]
        if wrong:
            raise errors.EstateError(f"{self._folder} is not valid: {'; '.join(wrong)}")

    def list_addresses(self) -> tuple[str, ...]:
        """What the state holds; nothing where there is none yet.

        Raises:
            CommandError: the state cannot be read.
        """
        try:
            return tuple(self._run(("state", "list")).splitlines())
        except errors.CommandError as error:
            if "No state file was found" in error.stderr:
                return ()
            raise

    def take_in(
        self, address: str, resource_id: str, *, variables: Mapping[str, str] | None = None
    ) -> None:
        """Import one existing resource; the state changes, and nothing else.

        Raises:
            StepError: it does not exist, or is in the state already.
        """
        command = ("import", "-no-color", _say_patience(_PATIENCE_SECONDS), address, resource_id)
        failed = self._stream(command, variables=variables, timeout=_PLAN_SECONDS)
        if failed:
            raise errors.StepError(
                f"{self.name} cannot take {address} into the state of {self._folder}: "
                f"{self._explain(failed)}. Expected {resource_id} to exist."
            )

    def plan(
        self,
        title: str,
        *,
        variables: Mapping[str, str] | None = None,
        imports: Mapping[str, str] | None = None,
        destroy: bool = False,
        targets: Sequence[str] = (),
        patience: float = _PATIENCE_SECONDS,
        timeout: float = _PLAN_SECONDS,
        progress: Tell | None = None,
    ) -> SavedPlan:
        """Plan, save the plan and read it; with ``destroy``, how to remove everything.

        Args:
            title: of the plan, for people.
            variables: input variables; passed by the environment, so they may be secret.
            imports: ids by address: what exists, is not in the state, and is to be taken in.
            destroy: plan the removal of all that the state holds.
            targets: addresses; only these and what depends on them or they on.
            patience: seconds to wait for another terraform that works on this state.
            timeout: seconds.
            progress: told a sentence now and then.

        Raises:
            PlanError: no plan can be made; nothing was changed.
        """
        path = self._plans / f"{time.time_ns()}.tfplan"
        options = [*(["-destroy"] if destroy else []), *(f"-target={one}" for one in targets)]
        command = ["plan", "-json", _say_patience(patience), f"-out={path}", *options]
        with self._stating(imports or {}):
            failed = self._stream(command, variables=variables, timeout=timeout, progress=progress)
        if failed:
            raise errors.PlanError(
                f"{self.name} cannot plan {self._folder}: {self._explain(failed)}. Nothing was "
                "changed."
            )
        path.chmod(0o600)
        shown = json.loads(self._run(("show", "-json", str(path))))
        for text in terraform_plans.list_sensitive(shown):
            _register(text)
        read = terraform_plans.read_plan(shown, title, self.name)
        taken_in = tuple(terraform_plans.list_taken_in(shown))
        return SavedPlan(read, PlanFile(path.name, _digest(path)), taken_in)

    @contextlib.contextmanager
    def _stating(self, imports: Mapping[str, str]) -> Iterator[None]:
        """Have ``import`` blocks in the configuration for one plan; another one waits for that.

        A saved plan holds its configuration, so that an apply needs no blocks. Ids are one
        target's: they must not be there for the next one, nor after a kill.
        """
        path = self._folder / _IMPORTS
        with contextlib.ExitStack() as stack:
            lock = os.open(self._folder, os.O_RDONLY)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            stack.callback(path.unlink, missing_ok=True)
            path.unlink(missing_ok=True)
            if imports:
                path.write_text(terraform_addresses.write_blocks(imports), encoding="utf-8")
            yield

    def apply(
        self,
        file: PlanFile,
        *,
        variables: Mapping[str, str] | None = None,
        timeout: float = _APPLY_SECONDS,
        progress: Tell | None = None,
    ) -> None:
        """Apply exactly a saved plan, once; ephemeral ``variables`` have to be given again.

        Raises:
            PlanError: the file is gone, is not the one that was shown, or the state has changed
                since; nothing was changed.
            StepError: it failed on the way; what was done is in the state.
            WaitTimeoutError: the deadline passed; terraform was asked to end and has ended.
        """
        path = self._plans / file.name
        if not path.exists() or _digest(path) != file.digest:
            raise errors.PlanError(
                f"{path} is not the plan that was shown: expected a file with SHA-256 "
                f"{file.digest[:12]}. Nothing was changed; plan again."
            )
        command = ("apply", "-json", _say_patience(_PATIENCE_SECONDS), str(path))
        failed = self._stream(command, variables=variables, timeout=timeout, progress=progress)
        if terraform_diagnostics.is_stale(failed):
            raise errors.PlanError(
                f"the plan is stale: the state of {self._folder} changed after it was made. "
                "Nothing was changed; plan again."
            )
        self.discard(file)
        if failed:
            raise errors.StepError(
                f"{self.name} apply failed in {self._folder}: {self._explain(failed)}. What it had "
                "done before is in its state; plan again to see what is left."
            )

    def discard(self, file: PlanFile) -> None:
        """Delete a plan that was shown and is not to be applied."""
        (self._plans / file.name).unlink(missing_ok=True)

    def outputs(self) -> dict[str, Output]:
        """The outputs of the last apply; every text of a sensitive one is registered as a secret.

        Raises:
            CommandError: the state cannot be read.
        """
        found = {
            name: Output(one["value"], one["type"], one["sensitive"])
            for name, one in json.loads(self._run(("output", "-json"))).items()
        }
        for one in found.values():
            for text in terraform_plans.list_texts(one.value, one.is_sensitive):
                _register(text)
        return found

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [str(self._binary), f"-chdir={self._folder}", *arguments]

    def _run(self, arguments: Sequence[str]) -> str:
        return binaries.run(
            self._command(arguments), environment=self._environment, timeout_seconds=_QUICK_SECONDS
        )

    def _stream(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        variables: Mapping[str, str] | None = None,
        progress: Tell | None = None,
    ) -> list[terraform_diagnostics.Diagnostic]:
        """Run to the end, telling what happens; returns the errors, none when it succeeded."""
        values = {f"TF_VAR_{name}": value for name, value in (variables or {}).items()}
        child = json_lines.JsonLines(self._command(arguments), {**self._environment, **values})
        found: list[terraform_diagnostics.Diagnostic] = []
        with child.follow(timeout) as lines:
            for said in lines:
                if said.get("type") == "diagnostic":
                    found.append(terraform_diagnostics.read(said["diagnostic"]))
                elif progress and said.get("type") in _TOLD:
                    progress(secrets.scrub(said["@message"]))
        wrong = [one for one in found if one.is_error]
        if child.returncode and not wrong:
            last = " ".join(child.rest.split()) or "it said nothing"
            summary = f"{self.name} {arguments[0]} exited with {child.returncode}"
            wrong = [
                terraform_diagnostics.Diagnostic(
                    is_error=True, summary=summary, detail=last, place=""
                )
            ]
        return wrong

    def _explain(self, found: Sequence[terraform_diagnostics.Diagnostic]) -> str:
        return terraform_diagnostics.explain(found, self.name, self._folder)


def find_workspace(target: connection.Connection) -> str:
    """The workspace of a target: Azure's is the one that a person's own terraform uses."""
    is_azure = target.resource_manager == connection.PUBLIC_RESOURCE_MANAGER
    return "default" if is_azure else target.name


def list_variables(target: connection.Connection) -> dict[str, str]:
    """What azurerm has to know of a target, as variables of the environment; none is a secret.

    For Azure itself azurerm finds a login as az does; for another cloud it asks
    ``https://<host>/metadata/endpoints`` where everything is.
    """
    found = {"ARM_SUBSCRIPTION_ID": target.subscription_id}
    if target.tenant_id:
        found["ARM_TENANT_ID"] = target.tenant_id
    if target.resource_manager != connection.PUBLIC_RESOURCE_MANAGER:
        host = target.resource_manager.partition("://")[2].rstrip("/")
        found["ARM_METADATA_HOSTNAME"] = host
    if target.credential is not None:
        found["ARM_CLIENT_ID"] = target.credential.client_id
        found["ARM_CLIENT_SECRET_FILE_PATH"] = str(target.credential.client_secret_file)
        found["ARM_USE_CLI"] = "false"
    if target.ca_bundle is not None:
        # Go reads the system's folders of certificates besides, so a registry still verifies.
        found["SSL_CERT_FILE"] = str(target.ca_bundle)
    return found


def _say_patience(seconds: float) -> str:
    return f"-lock-timeout={seconds:.0f}s"


def _register(text: str) -> None:
    """A short or plain word ("true", a port) would mask ordinary text everywhere."""
    if len(text) >= secrets.MINIMUM_CHARACTERS:
        secrets.register(text)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
