"""The page of one run: verdict, figures, steps, checks, then the executed notebook.

One file that needs nothing else: no script, no font, no address; a content security policy says
so to the browser, because outputs of cells are put into it as they are. Cells are rendered with
nbconvert's own filters; their state comes from the runner's marks, never from papermill's.
"""

import base64
import datetime as dt
import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azrunbook.report import result

_TEMPLATES = Path(__file__).parent / "templates"


def write(found: Mapping[str, Any], folder: Path) -> Path:
    """Write the page beside the executed notebook; returns its path."""
    notebook = folder / f"{found['procedure']}.ipynb"
    page = render(
        "run.html.j2",
        run=found,
        title=_find_title(notebook) or found["procedure"],
        cells=_list_cells(notebook),
        timeline=_lay_out_steps(found),
        files=_list_files(folder),
        tallies=_count(found),
    )
    path = folder / f"{found['procedure']}.html"
    result.replace_text(path, page)
    return path


def _list_files(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".html"
    )


def render(template: str, **values: Any) -> str:
    return str(_load_environment().get_template(template).render(**values))


def say_seconds(seconds: float | None) -> str:
    """A duration as people say it: ``20 ms``, ``0.4 s``, ``12 s``, ``3 min 5 s``."""
    if seconds is None:
        return "-"
    if seconds < 0.1:  # noqa: PLR2004 - "0.0 s" would say that nothing happened
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:  # noqa: PLR2004 - one decimal below ten seconds
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def say_instant(text: str) -> str:
    """An ISO 8601 instant to the second, in UTC."""
    return f"{dt.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC" if text else "-"


def say_number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def say_prediction(metric: Mapping[str, Any]) -> str:
    """``predicted 10 to 15 s``, or nothing."""
    predicted, unit = metric["predicted"], metric["unit"]
    if predicted is None:
        return ""
    if isinstance(predicted, list):
        return f"predicted {say_number(predicted[0])} to {say_number(predicted[1])} {unit}"
    return f"predicted {say_number(predicted)} {unit}"


def say_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count(found: Mapping[str, Any]) -> dict[str, str]:
    """``4 of 4`` for checks, steps and cells; empty where there are none."""
    groups = {
        "checks passed": [check["passed"] for check in found["checks"]],
        "steps done": [step["state"] == "done" for step in found["steps"]],
        "cells run": [cell["state"] == "passed" for cell in found["cells"]],
    }
    return {name: f"{sum(group)} of {len(group)}" for name, group in groups.items() if group}


def _lay_out_steps(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each started step's place in the time from the first start to the last end, in percent."""
    spans = []
    for step in found["steps"]:
        if step["started_at"]:
            start = dt.datetime.fromisoformat(step["started_at"]).timestamp()
            ended = dt.datetime.fromisoformat(found["ended_at"]).timestamp()
            seconds = step["seconds"] if step["seconds"] is not None else max(0.0, ended - start)
            spans.append((step, start, seconds))
    if not spans:
        return []
    first = min(start for _, start, _ in spans)
    whole = max(max(start + seconds for _, start, seconds in spans) - first, 0.001)
    return [
        {
            **step,
            "left": round(100 * (start - first) / whole, 2),
            "width": round(max(100 * seconds / whole, 0.4), 2),
            "seconds": seconds,
        }
        for step, start, seconds in spans
    ]


def _find_title(notebook: Path) -> str:
    for cell in _read_cells(notebook):
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return line.removeprefix("# ").strip()
    return ""


def _read_cells(notebook: Path) -> list[dict[str, Any]]:
    if not notebook.exists():
        return []
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return cells


def _list_cells(notebook: Path) -> list[dict[str, Any]]:
    """The cells as the template shows them: prose, or code with its state and outputs."""
    shown = []
    for cell in _read_cells(notebook):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            shown.append({"kind": "prose", "html": load_filters()["markdown"](source)})
        elif cell["cell_type"] == "code":
            mark = cell["metadata"].get("azrunbook", {})
            shown.append(
                {
                    "kind": "code",
                    "html": load_filters()["code"](source),
                    "mark": mark,
                    "outputs": [_show(output) for output in cell["outputs"]],
                }
            )
    return shown


def _show(output: Mapping[str, Any]) -> dict[str, str]:
    """One output as HTML, with the class that says what it is."""
    ansi = load_filters()["ansi"]
    if output["output_type"] == "stream":
        return {"kind": f"stream {output['name']}", "html": _pre(ansi("".join(output["text"])))}
    if output["output_type"] == "error":
        return {"kind": "traceback", "html": _pre(ansi("\n".join(output["traceback"])))}
    data = {kind: "".join(part) for kind, part in output["data"].items() if kind != _JSON}
    for kind, encode in (("image/svg+xml", _encode), ("image/png", str), ("image/jpeg", str)):
        if kind in data:
            content = encode(data[kind]).replace("\n", "")
            return {
                "kind": "figure",
                "html": f'<img alt="figure" src="data:{kind};base64,{content}">',
            }
    if "text/html" in data:
        return {"kind": "rich", "html": data["text/html"]}
    if "text/markdown" in data:
        return {"kind": "rich", "html": load_filters()["markdown"](data["text/markdown"])}
    return {"kind": "plain", "html": _pre(ansi(data.get("text/plain", "")))}


_JSON = "application/json"


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _pre(content: str) -> str:
    return f"<pre>{content}</pre>"


@functools.cache
def load_filters() -> dict[str, Any]:
    """Filters of nbconvert by use; imported late, because they bring half of Jupyter with them."""
    # See engine.py: a second saved for a format that no notebook uses.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # "not importable"
    from nbconvert import filters

    highlight: Any = filters.Highlight2HTML()  # type: ignore[no-untyped-call] # not typed
    return {
        "markdown": filters.markdown2html,
        "code": lambda source: highlight(source, language="python3"),
        "ansi": filters.ansi2html,
    }


@functools.cache
def _load_environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for say in (say_seconds, say_instant, say_number, say_prediction, say_value):
        environment.filters[say.__name__] = say
    return environment
