"""A dashboard as Grafana reads it: panels (those of collapsed rows too), queries, variables."""

import copy
import dataclasses
import json

from catalogue import REPOSITORY

GRAFANA = REPOSITORY / "dashboards" / "grafana"
FILES = sorted(GRAFANA.glob("*.json"))


@dataclasses.dataclass(frozen=True)
class Query:
    place: str      # for people: "fleet: panel Hung, A"
    expression: str
    instant: bool
    interval: str   # the smallest step, "" for the scrape interval
    legend: str
    target: dict


class Dashboard:
    def __init__(self, name, document):
        self.name = name
        self.document = document

    @classmethod
    def load(cls, path):
        return cls(path.stem, json.loads(path.read_text(encoding="utf-8")))

    def changed(self, change):
        """A copy in which `change(document)` has made a mistake."""
        document = copy.deepcopy(self.document)
        change(document)
        return Dashboard(self.name, document)

    @property
    def uid(self):
        return self.document["uid"]

    @property
    def variables(self):
        return self.document["templating"]["list"]

    @property
    def annotations(self):
        return self.document["annotations"]["list"]

    def panels(self):
        """All but rows."""
        for panel in self.document["panels"]:
            yield from panel["panels"] if panel["type"] == "row" else [panel]

    def panel(self, title):
        return next(panel for panel in self.panels() if panel["title"] == title)

    def place(self, panel, target):
        return f"{self.name}: panel {panel['title']}, {target['refId']}"

    def queries_of(self, panel):
        for target in panel["targets"]:
            yield Query(self.place(panel, target), target["expr"], target["instant"],
                        target.get("interval") or panel.get("interval", ""), target.get("legendFormat", ""), target)

    def queries(self):
        """Of panels and annotations."""
        for panel in self.panels():
            yield from self.queries_of(panel)
        for annotation in self.annotations:
            yield Query(f"{self.name}: annotation {annotation['name']}", annotation["expr"], False,
                        annotation["step"], annotation["textFormat"], annotation)

    def selectors(self):
        """The first argument of each variable's label_values(), by the variable's name."""
        queries = {v["name"]: v["query"]["query"] for v in self.variables if v["type"] == "query"}
        return {name: query.removeprefix("label_values(").rpartition(",")[0] for name, query in queries.items()}

    def expressions(self):
        """Every PromQL text with its place, those of variables too."""
        yield from ((query.place, query.expression) for query in self.queries())
        yield from ((f"{self.name}: variable {name}", text) for name, text in self.selectors().items())


def shipped():
    return [Dashboard.load(path) for path in FILES]


def shipped_named(name):
    return Dashboard.load(GRAFANA / f"{name}.json")
