"""junit.xml: the checks and steps of one run as CI systems read them.

One test case per check and per step, and one for the verdict, so that a run that was killed
before any check fails, too. What a dry run did not require or do is skipped.
"""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from azrunbook.report import result

FILE_NAME = "junit.xml"


def write(found: dict[str, Any], folder: Path) -> None:
    suite = ET.Element(
        "testsuite",
        name=found["procedure"],
        timestamp=found["started_at"],
        time=str(found["duration_seconds"]),
    )
    for check in found["checks"]:
        case = _add(suite, f"{found['procedure']}.{check['phase']}", check["name"])
        if not check["passed"]:
            kind = "failure" if check["required"] else "skipped"
            said = f"expected {check['criterion']}, found {check['found']}"
            ET.SubElement(case, kind, message=said).text = check["advice"]
    for step in found["steps"]:
        case = _add(suite, f"{found['procedure']}.steps", step["name"], step["seconds"])
        if step["state"] in {"failed", "running", "undo_failed"}:
            ET.SubElement(case, "failure", message=f"{step['state']}: {step['detail']}")
        elif step["state"] != "done":
            ET.SubElement(case, "skipped", message=step["state"])
    case = _add(suite, found["procedure"], "verdict", found["duration_seconds"])
    if found["verdict"] not in {"passed", "planned"}:
        said = "\n".join(found["reasons"])
        ET.SubElement(case, "failure", message=found["verdict"]).text = said
    for kind, total in (("failure", "failures"), ("skipped", "skipped"), ("testcase", "tests")):
        suite.set(total, str(len(list(suite.iter(kind)))))
    suite.set("errors", "0")
    ET.indent(suite)
    text = ET.tostring(suite, encoding="unicode", xml_declaration=True)
    result.replace_text(folder / FILE_NAME, text + "\n")


def _add(suite: ET.Element, group: str, name: str, seconds: float | None = None) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=group, name=name, time=str(seconds or 0))
