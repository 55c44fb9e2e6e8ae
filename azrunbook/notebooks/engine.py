"""Execute the cells of one notebook through papermill, and know for certain what became of each.

papermill reads the master, injects the parameters and hands the notebook to the engine here. Its
marks are removed and its writer is not used: it calls cells completed that never ran, and a
killed writer would truncate the report. The notebook is saved by time and not by cell, whole or
not at all, and scrubbed. Runs in a thread of its own, where nbclient does not take the signals.
"""

import asyncio
import contextlib
import copy
import datetime as dt
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azrunbook import secrets
from azrunbook.notebooks import kernel

METADATA_KEY = "azrunbook"
_SAVE_SECONDS = 2.0
_OUTPUT_CHARACTERS = 100_000  # of one stream in one cell; a report is read by people
_ENGINE = "azrunbook"
# Cells that a dry run runs after the plan.
_KEPT_TAGS = frozenset({"audit", "result"})
_SKIP_TAG = "skip-execution"  # nbclient's
_NOT_RUN = {
    "not_run": "not run: the run ended before this cell\n",
    "left_out": "left out: a dry run ends with the plan\n",
}
_SHUTDOWN_SECONDS = 2.0
_SHOWN = {"text/html", "image/svg+xml"}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def leave_signals_to_main() -> None:
    """Block the signals that end a run in the calling thread.

    Python acts on a signal in the main thread only. One of two that come together may be delivered
    to another thread, which notes it and does not wake the main thread out of what it waits for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


class Kernel:
    """The kernel's process; killed with everything it started (helm, kubectl), as one group."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str]) -> None:
        from jupyter_client import kernelspec, manager

        self._files = tempfile.TemporaryDirectory(prefix="azrunbook-kernel-")
        # Sockets in a private folder: no port to race for, nothing for others to connect to.
        self.manager = manager.KernelManager(
            transport="ipc",
            # nbclient's loop would stand still in the blocking one, and never see a dead kernel.
            client_class="jupyter_client.asynchronous.AsyncKernelClient",
            ip=f"{self._files.name}/socket",
            connection_file=f"{self._files.name}/connection.json",
        )
        self.manager._kernel_spec = kernelspec.KernelSpec(  # noqa: SLF001 - no public way to set it
            argv=[
                sys.executable, "-m", kernel.__name__, "-f", "{connection_file}",
                "--InteractiveShell.colors=nocolor", "--HistoryManager.enabled=False",
            ],
            display_name="Python 3",
            language="python",
        )  # fmt: skip
        # Unlinked: what a kernel says outside its cells is kept only after it was scrubbed.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self.manager.start_kernel(
            cwd=str(folder),
            env={
                **os.environ,
                **environment,
                kernel.RUNNER_VARIABLE: str(os.getpid()),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            },
            stdout=self._log,
            stderr=self._log,
        )
        provisioner: Any = self.manager.provisioner
        self.pid: int = provisioner.pid

    def kill(self) -> None:
        """Kill the kernel and what it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, 9)

    def close(self) -> str:
        """End the kernel and what it started; returns what it said outside its cells."""
        with contextlib.suppress(Exception):  # a dead kernel cannot be asked
            self.manager.shutdown_wait_time = _SHUTDOWN_SECONDS
            self.manager.shutdown_kernel()
        self.kill()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        self._log.close()
        self._files.cleanup()
        return secrets.scrub(said)


class Execution(threading.Thread):
    """Executes one notebook in a kernel; look at ``failure`` and ``cells`` when it has ended.

    Attributes:
        path: where the executed notebook is written.
        cells: one account per code cell: cell, state (passed, failed, interrupted, not_run, or
            left_out of a dry run), started_at, seconds.
        failure: what went wrong: (reason, error, cell), or None.
        started_at: monotonic instant of the first cell's start, None before.
        first_cell: set when the first cell has started, or never will.
    """

    def __init__(
        self, master: Path, path: Path, running: Kernel, parameters: Mapping[str, Any]
    ) -> None:
        super().__init__(name=f"papermill {master.stem}", daemon=True)
        self.path = path
        self.failure: tuple[str, str, int | None] | None = None
        self.started_at: float | None = None
        self.first_cell = threading.Event()
        self.ended_at: float | None = None
        self._master = master
        self._kernel = running
        self._parameters = dict(parameters)
        self._notebook: Any = None
        self._saved_at = 0.0
        self._cell_started = 0.0
        self._later: asyncio.TimerHandle | None = None

    @property
    def cells(self) -> list[dict[str, Any]]:
        if self._notebook is None:
            return []
        return [
            {"cell": number, **cell.metadata[METADATA_KEY]}
            for number, cell in enumerate(_list_code(self._notebook), 1)
        ]

    def run(self) -> None:
        """Execute; never raises: what goes wrong is in ``failure``."""
        leave_signals_to_main()
        try:
            _load_papermill().execute_notebook(
                str(self._master),
                None,
                parameters=self._parameters,
                engine_name=_ENGINE,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                execution=self,
            )
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to
            if self.failure is None:
                self.failure = ("the runner failed", f"{type(error).__name__}: {error}", None)
        finally:
            self.first_cell.set()

    def execute(self, notebook: Any) -> None:
        """Run all cells in order; called by the engine inside papermill."""
        from nbclient import exceptions

        # A copy: papermill puts error marks of its own into what it looks at afterwards.
        self._notebook = notebook = copy.deepcopy(notebook)
        for cell in _list_code(notebook):
            cell.metadata[METADATA_KEY] = {"state": "not_run"}
        if self._parameters.get("apply") is False:
            _leave_out_after_plan(notebook)
        client = _make_client(notebook, self)
        try:
            client.execute()
        except exceptions.CellExecutionError as error:
            self._fail("a cell failed", f"{error.ename}: {error.evalue}", "failed")
        except exceptions.DeadKernelError:
            self._fail("the kernel died", "it was killed, or ran out of memory", "interrupted")
        except Exception as error:  # noqa: BLE001 - whatever it is, the record has to say it
            said = f"{type(error).__name__}: {error}"
            self._fail("the notebook could not be executed", said, "interrupted")
        finally:
            self.ended_at = time.monotonic()

    def note_start(self, cell: Any) -> None:
        self._cell_started = time.monotonic()
        self.started_at = self.started_at or self._cell_started
        self.first_cell.set()
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        cell.metadata[METADATA_KEY].update(state="interrupted", started_at=now)
        self._save_soon()

    def note_end(self, cell: Any) -> None:
        seconds = round(time.monotonic() - self._cell_started, 3)
        cell.metadata[METADATA_KEY].update(state="passed", seconds=seconds)
        self._save_soon()

    def _save_soon(self) -> None:
        """Save at once if the last time is long ago, else then; also while one cell works on."""
        wait = self._saved_at + _SAVE_SECONDS - time.monotonic()
        if self._later is not None:
            return
        if wait <= 0:
            self.save()
        else:
            self._later = asyncio.get_running_loop().call_later(wait, self._save_later)

    def _save_later(self) -> None:
        self._later = None
        self.save()

    def save(self) -> None:
        """Write the notebook as it is now: scrubbed, and whole or not at all."""
        if self._notebook is None:
            return
        content = secrets.scrub_json(_clean(self._notebook))
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path.parent, prefix=".notebook-", delete=False, encoding="utf-8"
        ) as draft:
            json.dump(content, draft, indent=1, ensure_ascii=False)
            draft.write("\n")
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(self.path)
        self._saved_at = time.monotonic()

    def _fail(self, reason: str, error: str, state: str) -> None:
        number, cell = next(_list_started(self._notebook), (None, None))
        if cell is not None:
            seconds = round(time.monotonic() - self._cell_started, 3)
            cell.metadata[METADATA_KEY].update(state=state, seconds=seconds)
        self.failure = (reason, error, number)


def _list_code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _list_started(notebook: Any) -> Iterator[tuple[int, Any]]:
    """The cell that started and did not end, if there is one."""
    for number, cell in enumerate(_list_code(notebook), 1):
        if cell.metadata[METADATA_KEY]["state"] == "interrupted":
            yield number, cell


def _leave_out_after_plan(notebook: Any) -> None:
    """A dry run stops after the plan: what follows would wait for things that nobody does.

    But for what is tagged ``audit``: whether the goal is met already is what an audit is run for.
    """
    cells = _list_code(notebook)
    shows = [place for place, cell in enumerate(cells) if "plan" in cell.metadata.get("tags", [])]
    for cell in cells[shows[0] + 1 :] if shows else []:
        if not _KEPT_TAGS.intersection(cell.metadata.get("tags", [])):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), _SKIP_TAG]
            cell.metadata[METADATA_KEY]["state"] = "left_out"


def _clean(notebook: Any) -> Any:
    """A copy without papermill's claims, with bounded outputs, unexecuted cells marked."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        for name in ("execution", "exception", "start_time", "end_time", "duration", "status"):
            cell.metadata.pop(name, None)
        if cell.cell_type != "code":
            continue
        cell.outputs = _join_streams(cell.outputs)
        for output in cell.outputs:
            # Python's text form of what shows itself says all over again, and names this machine.
            if _SHOWN.intersection(data := output.get("data", {})):
                data.pop("text/plain", None)
        if _SKIP_TAG in cell.metadata.get("tags", []):
            cell.metadata["tags"].remove(_SKIP_TAG)
        if said := _NOT_RUN.get(cell.metadata[METADATA_KEY]["state"]):
            cell.outputs = [{"output_type": "stream", "name": "stderr", "text": said}]
    return notebook


def _join_streams(outputs: list[Any]) -> list[Any]:
    """Make one text of what a cell printed in pieces, so that no secret is split; bound it.

    nbclient can join them itself, in time that grows with the square of a line's length.
    """
    joined: list[Any] = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output["output_type"] == "stream" and output["name"] == before.get("name"):
            before["text"] += output["text"]
        else:
            joined.append(output)
    for output in joined:
        if output["output_type"] == "stream" and len(output["text"]) > _OUTPUT_CHARACTERS:
            left = len(output["text"]) - _OUTPUT_CHARACTERS
            kept = output["text"][:_OUTPUT_CHARACTERS]
            output["text"] = f"{kept}\n... {left} characters left out\n"
    return joined


def _load_papermill() -> Any:
    """Import papermill without what it drags in for nothing.

    jsonschema builds a grammar for international URLs when ``rfc3987_syntax`` is there: a second
    on two cores, for a format that no notebook uses.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # "not importable"
    import papermill
    from papermill import engines

    class Engine(engines.Engine):  # type: ignore[misc] # papermill is not typed
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, _kernel_name: str, *, execution: Execution, **_options: Any
        ) -> None:
            execution.execute(nb_man.nb)

    engines.papermill_engines.register(_ENGINE, Engine)
    return papermill


def _make_client(notebook: Any, execution: Execution) -> Any:
    import nbclient

    return nbclient.NotebookClient(
        notebook,
        km=execution._kernel.manager,  # noqa: SLF001 - one thing in two pieces
        timeout=None,
        startup_timeout=60,
        raise_on_iopub_timeout=False,
        record_timing=False,
        store_widget_state=False,
        # Not on_cell_start, which is called for cells that are left out as well.
        on_cell_execute=lambda cell, **_: execution.note_start(cell),
        on_cell_executed=lambda cell, execute_reply, **_: (
            execution.note_end(cell) if execute_reply["content"]["status"] == "ok" else None
        ),
    )
