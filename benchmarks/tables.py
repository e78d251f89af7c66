"""What a benchmark gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Table:
    """A table with a title and a note on how to read it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple]
    note: str = ""

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(map(_text, line))} |" for line in lines)
        return "\n\n".join(part for part in (f"## {self.title}", self.note, table) if part)


def _text(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else str(value)
