"""What a run is bound to, shown to people and kept in the record. Values only."""

import html
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """What a run is bound to, for people and for the record; never a token."""

    rows: Mapping[str, str]

    def as_dict(self) -> dict[str, str]:
        return dict(self.rows)

    def __str__(self) -> str:
        return "\n".join(f"{name:<24} {value}" for name, value in self.rows.items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self.rows.items()
        )
        return f"<table class='summary'>{rows}</table>"
