"""Numbers with their n, and tables that a person reads."""

import statistics


def spread(values, unit="", digits=1):
    """`n: min / median / max`."""
    values = [value for value in values if value is not None]
    if not values:
        return "n=0"
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"n={len(values)}: {low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f}{unit}"


def tally(values):
    """`n: most frequent values`, for what is no number."""
    values = list(values)
    kinds = sorted(set(values), key=lambda value: (-values.count(value), str(value)))
    if len(kinds) == 1:
        return f"n={len(values)}: {kinds[0]}"
    return f"n={len(values)}: " + ", ".join(f"{kind} ({values.count(kind)})" for kind in kinds)


def shorten(text, width=60):
    text = " ".join(str(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


class Table:
    def __init__(self, title, *columns):
        self.title, self.columns = title, columns
        self.rows, self.notes, self.promises = [], [], []

    def row(self, *cells):
        assert len(cells) == len(self.columns), cells
        self.rows.append([str(cell) for cell in cells])

    def note(self, text):
        self.notes.append(text)

    def promise(self, text, kept):
        """What codex-agent has to keep in this scenario."""
        self.promises.append((text, bool(kept)))

    def print(self):
        widths = [max(len(row[i]) for row in [self.columns, *self.rows]) for i in range(len(self.columns))]
        print(f"\n## {self.title}\n")
        for row in [self.columns, ["-" * width for width in widths], *self.rows]:
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        print()
        for text in self.notes:
            print(f"* {text}")
        for text, kept in self.promises:
            print(f"* codex-agent: {text}: {'KEPT' if kept else 'MISSED'}")
        print(end="", flush=True)
