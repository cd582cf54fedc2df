"""Grafana's alert provisioning files: what its loader would refuse or, worse, ignore; and what its evaluator would say.
A model of Grafana, written from its documentation, not Grafana."""

import re

import yaml
from catalogue import REPOSITORY
from rule_files import seconds

DIRECTORY = REPOSITORY / "dashboards" / "grafana" / "provisioning" / "alerting"
RULES = DIRECTORY / "codex-agent-rules.yaml"
CONTACT_POINTS = DIRECTORY / "codex-agent-contact-points.yaml"
POLICIES = DIRECTORY / "codex-agent-policies.yaml.example"

_GROUP_KEYS = {"orgId", "name", "folder", "interval", "rules"}
_RULE_KEYS = {"uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState", "execErrState", "for",
              "keepFiringFor", "annotations", "labels", "isPaused"}
_QUERY_KEYS = {"refId", "queryType", "relativeTimeRange", "datasourceUid", "model"}
_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")
_SCHEDULER_INTERVAL = 10


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def problems(document):
    """What is wrong with a file of rules, in words."""
    found, uids = [], []
    if document.get("apiVersion") != 1:
        found.append("apiVersion is not 1")
    for group in document["groups"]:
        found += [f"group key {key} is ignored" for key in set(group) - _GROUP_KEYS]
        found += [f"a group needs {key}" for key in ("name", "folder", "interval") if not group.get(key)]
        interval = seconds(group.get("interval"))
        if not interval or interval % _SCHEDULER_INTERVAL:
            found.append(f"interval {group.get('interval')} is no multiple of {_SCHEDULER_INTERVAL} s")
        for rule in group["rules"]:
            uids.append(rule.get("uid"))
            found += [f"{rule.get('title')}: {problem}" for problem in _rule_problems(rule, interval)]
    return found + [f"uid {uid} twice" for uid in {uid for uid in uids if uids.count(uid) > 1}]


def _rule_problems(rule, interval):
    yield from (f"key {key} is ignored" for key in set(rule) - _RULE_KEYS)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule.get("uid", "")):
        yield "uid"
    if rule.get("noDataState") not in ("NoData", "OK", "Alerting", "KeepLast"):
        yield "noDataState"
    if rule.get("execErrState") not in ("Error", "OK", "Alerting", "KeepLast"):
        yield "execErrState"
    for key in ("for", "keepFiringFor"):
        text = str(rule.get(key, "0s"))
        if not _DURATION.fullmatch(text) or seconds(text) % interval:
            yield f"{key} {text} is no multiple of the group's interval"
    for key, value in rule.get("labels", {}).items():
        if re.search(r"(?<!\$)\$(?!\$)", value):
            yield f"label {key}: a single $ is taken for an environment variable"
    for key, value in rule.get("annotations", {}).items():
        if "${" in value:
            yield f"annotation {key}: ${{...}} is taken for an environment variable"
        if "$value" in value:
            yield f"annotation {key}: $value is a description of all queries in Grafana"
    references = [query["refId"] for query in rule["data"]]
    if len(references) != len(set(references)) or rule.get("condition") not in references:
        yield "condition or refId"
    for query in rule["data"]:
        yield from _query_problems(query, references)


def _query_problems(query, references):
    model = query["model"]
    yield from (f"query key {key} is ignored" for key in set(query) - _QUERY_KEYS)
    if model.get("refId") != query["refId"]:
        yield "refId of query and model differ"
    if query["datasourceUid"] == "__expr__":
        if model.get("expression") not in references:
            yield f"{query['refId']} is about {model.get('expression')}, which is no query"
    else:
        period = query.get("relativeTimeRange", {})
        if period.get("from", 0) <= period.get("to", 0):
            yield "relativeTimeRange"
        if model.get("instant") is not True:
            yield "the query is not instant"


def query_of(rule):
    """The PromQL and the limit above which it alerts."""
    query, threshold = rule["data"]
    (condition,) = threshold["model"]["conditions"]
    assert threshold["model"]["type"] == "threshold" and threshold["model"]["expression"] == query["refId"]
    assert rule["condition"] == threshold["refId"] and condition["evaluator"]["type"] == "gt"
    return query["model"]["expr"], condition["evaluator"]["params"][0]


class _Instance:
    """The state of one series of a rule."""

    def __init__(self):
        self.state, self.since, self.missing = "Normal", 0, 0

    def judge(self, now, above, wait, keep):
        if above:
            if self.state in ("Normal", "Pending"):
                begun = now if self.state == "Normal" else self.since
                self._enter("Alerting" if now - begun >= wait else "Pending", now)
            else:
                self._enter("Alerting", now)
        elif self.state == "Alerting" and keep:
            self._enter("Recovering", now)
        elif self.state != "Recovering" or now - self.since >= keep:
            self._enter("Normal", now)

    def _enter(self, state, now):
        if state != self.state:
            self.state, self.since = state, now

    @property
    def fires(self):
        return self.state in ("Alerting", "Recovering")


def replay(rule, prometheus, start, end, interval):
    """{labels: [Unix times of the evaluations at which it fires]} of a rule over what a real Prometheus answers."""
    expression, limit = query_of(rule)
    wait, keep = seconds(rule.get("for")), seconds(rule.get("keepFiringFor"))
    answers = {}
    for labels, values in prometheus.query_range(expression, start, end, interval):
        answers[frozenset(labels.items())] = dict(values)
    firing = {}
    for labels, values in answers.items():
        instance = _Instance()
        for now in range(start, end + 1, interval):
            if now in values:
                instance.missing = 0
                instance.judge(now, values[now] > limit, wait, keep)
            else:
                instance.missing += 1
                if instance.missing > 2:  # a series that stays away is resolved
                    instance = _Instance()
            if instance.fires:
                firing.setdefault(labels, []).append(now)
    return firing
