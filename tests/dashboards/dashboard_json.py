"""The layout of the dashboards' JSON: what fits into a line is one, so that a reader sees structure and a diff is
small. `python3 dashboard_json.py FILE...` brings files into it, after an export from Grafana, say."""

import json
import pathlib
import sys

WIDTH = 120


def _lines(value, indent, head, tail):
    flat = head + json.dumps(value, ensure_ascii=False) + tail
    if len(indent) + len(flat) <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return [indent + flat]
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    entries = [("" if key is None else json.dumps(key, ensure_ascii=False) + ": ", item) for key, item in pairs]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = [indent + head + opening]
    for n, (key, item) in enumerate(entries):
        lines += _lines(item, indent + "  ", key, "," if n + 1 < len(entries) else "")
    return [*lines, indent + closing + tail]


def formatted(document):
    return "\n".join(_lines(document, "", "", "")) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        path.write_text(formatted(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
