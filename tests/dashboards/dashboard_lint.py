"""What a dashboard of codex-agent has to keep to, beyond what Grafana's types and Prometheus say of it."""

import itertools
import json
import re

from catalogue import OF_PROMETHEUS, read_catalogue
from promql import Named

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TARGET_KEYS = {"refId", "datasource", "editorMode", "expr", "format", "instant", "range", "legendFormat", "interval"}
VALUES = ("stat", "timeseries", "bargauge", "state-timeline")
_COUNTERS = [name for name, family in read_catalogue().items() if family.type == "counter"]
_COUNTED = "|".join([*_COUNTERS, r"\w+_(?:bucket|sum|count)"])
_SELECTOR = r"\{[^{}]*\}"
_RATED = re.compile(rf"\b(?:rate|increase)\((?:{_COUNTED}){_SELECTOR}\[([^\]]+)\](?: @ end\(\))?\)")
_DIFFERENCE = re.compile(rf"\b({_COUNTED})({_SELECTOR})\s*-\s*\1\2 offset \$__interval")
_BARE = re.compile(rf"\b(?:{_COUNTED})(?={_SELECTOR})")
_LINK = re.compile(r"/d/([\w-]+)\?(.*)")


def lint(dashboard, others):
    """Faults of a dashboard, each with its place; `others`, by uid, are those it may link to."""
    found = [*_frame(dashboard), *_variables(dashboard), *_layout(dashboard), *_links(dashboard, others)]
    for panel in dashboard.panels():
        found += [f"panel {panel['title'] or panel['id']}: {fault}" for fault in (*_panel(panel), *_signals(panel))]
    for query in dashboard.queries():
        found += [f"{query.place}: {fault}" for fault in (*_selectors(dashboard, query), *_windows(query))]
    return found


def _frame(dashboard):
    document = dashboard.document
    wanted = {"uid": f"codex-agent-{dashboard.name}", "tags": ["codex-agent"], "schemaVersion": 39, "editable": False,
              "graphTooltip": 1, "refresh": "30s"}
    for key, value in wanted.items():
        if document.get(key) != value:
            yield f"{key} is not {value!r}"
    if not document.get("title") or not document.get("description"):
        yield "it has no title or no description"
    yield from (f"{key} is for exports" for key in ("id", "__inputs", "__requires") if key in document)
    for place, source in _sources(document):
        if source != SOURCE:
            yield f"a data source is {json.dumps(source)} in {place}, not the variable"


def _sources(value, place=""):
    if isinstance(value, dict):
        if "datasource" in value:
            yield place, value["datasource"]
        for key, item in value.items():
            yield from _sources(item, f"{place}.{key}")
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _sources(item, f"{place}[{n}]")


def _variables(dashboard):
    first, *others = dashboard.variables
    if first["name"] != "datasource" or first["type"] != "datasource" or first["query"] != "prometheus":
        yield "the first variable is not the data source"
    names = [variable["name"] for variable in others]
    if names[:2] != ["job", "instance"]:
        yield f"the variables begin with {names[:2]}, not with job and instance"
    for variable in others:
        if variable["refresh"] != 2 or variable["sort"] != 1 or not variable["label"]:
            yield f"variable {variable['name']}: it is not refreshed with the time range, not sorted, or has no label"
        if variable["multi"] != variable["includeAll"] or variable["multi"] and not variable["allValue"]:
            yield f"variable {variable['name']}: several values go with All and a pattern for it"


def _layout(dashboard):
    every = list(itertools.chain.from_iterable([panel, *panel.get("panels", [])]
                                               for panel in dashboard.document["panels"]))
    if len({panel["id"] for panel in every}) != len(every):
        yield "panel ids are not unique"
    open_ones = dashboard.document["panels"]
    groups = [open_ones, *(row["panels"] for row in open_ones if row["type"] == "row" and row["collapsed"])]
    for group in groups:
        taken = {}
        for panel in group:
            at = panel["gridPos"]
            if at["x"] + at["w"] > 24:
                yield f"panel {panel['title']}: it is wider than the grid"
            for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
                if taken.setdefault(cell, panel["id"]) != panel["id"]:
                    yield f"panel {panel['title']}: it lies on panel {taken[cell]}"
                    break


def _panel(panel):
    defaults = panel["fieldConfig"]["defaults"]
    if not panel["title"]:
        yield "it has no title"
    if not panel["description"].endswith("."):
        yield "its description is not a sentence"
    if not (defaults.get("unit") if panel["type"] in VALUES else panel["options"].get("yAxis", {"unit": 1}).get("unit")):
        yield "it has no unit"
    if not defaults.get("noValue"):
        yield "it says nothing when there is nothing"
    if not panel["targets"]:
        yield "it has no queries"
    if len({target["refId"] for target in panel["targets"]}) != len(panel["targets"]):
        yield "refIds are not unique"
    for target in panel["targets"]:
        yield from (f"query {target['refId']} has an unknown {key}" for key in set(target) - TARGET_KEYS)
        if target["instant"] == target["range"]:
            yield f"query {target['refId']} is instant and range, or neither"
        if panel["type"] in ("timeseries", "state-timeline", "bargauge") and not target.get("legendFormat"):
            yield f"query {target['refId']} has no legend"
    if panel["type"] == "timeseries" and (
            panel["options"]["tooltip"] != {"mode": "multi", "sort": "desc"} or defaults["custom"]["spanNulls"]):
        yield "its tooltip shows one series, or it hides gaps"


def _signals(panel):
    """Colour is never the only signal."""
    fields = panel["fieldConfig"]
    for mapping in itertools.chain(fields["defaults"].get("mappings", []), *(
            change["value"] for override in fields["overrides"] for change in override["properties"]
            if change["id"] == "mappings")):
        options = mapping["options"].values() if mapping["type"] == "value" else [mapping["options"]["result"]]
        if not all(option.get("text") and option.get("color") for option in options):
            yield "a mapping has a colour and no word, or a word and no colour"
    if panel["type"] == "state-timeline" and not fields["defaults"].get("mappings"):
        yield "its states have no words"
    steps = fields["defaults"].get("thresholds", {}).get("steps", [{"value": None}])
    if steps[0]["value"] is not None:
        yield "its thresholds do not begin everywhere"
    for override in fields["overrides"]:
        changes = {change["id"]: change["value"] for change in override["properties"]}
        if changes.get("custom.cellOptions", {}).get("type") == "color-background" and "mappings" not in changes:
            yield f"column {override['matcher']['options']} is coloured and has no words"


def _selectors(dashboard, query):
    """Every selector keeps to what is chosen: `=~` where several can be, `=` where one is."""
    known = {name: labels for family in read_catalogue().values() for name, labels in family.series().items()}
    operators = {variable["name"]: "=~" if variable["multi"] else "=" for variable in dashboard.variables}
    for metric, matchers in Named(query.expression).selectors:
        labels = {"job", "instance"} | known.get(metric, OF_PROMETHEUS.get(metric, set())) & {"backend"}
        for label in sorted(labels & set(operators)):
            if matchers.get(label) != f"${label}":
                yield f"{metric} is not selected by {label}"
            elif f'{label}{operators[label]}"${label}"' not in query.expression:
                yield f"{label} is not matched with {operators[label]}"


def _windows(query):
    """Counters only as rates or exact differences; windows that follow the step, or the range for one number."""
    for window in _RATED.findall(query.expression):
        if window != "$__rate_interval" and not query.instant and f"[{window}] @ end()" not in query.expression:
            yield f"[{window}] does not follow the step"
        if window == "$__interval":
            yield "a window of one step misses what lies between two of them"
    left = _DIFFERENCE.sub(" ", _RATED.sub(" ", query.expression))
    yield from (f"{name} is a counter and shown as it is" for name in _BARE.findall(left))


def _links(dashboard, others):
    text = json.dumps(dashboard.document)
    for url in sorted(set(re.findall(r'"url": "([^"]*)"', text))):
        match = _LINK.fullmatch(url)
        if not match or match.group(1) not in others:
            yield f"link {url} leads to none of the dashboards"
            continue
        if "${datasource:queryparam}" not in match.group(2):
            yield f"link {url} forgets the data source"
        there = {variable["name"] for variable in others[match.group(1)].variables}
        yield from (f"link {url}: there is no variable {name} there"
                    for name in set(re.findall(r"var-(\w+)=", match.group(2))) - there)
