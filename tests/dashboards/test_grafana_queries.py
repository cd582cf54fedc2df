"""Every query of the dashboards, asked as Grafana asks it, on the generated history and on a real codex-agent: it is
accepted, finds something, and what it finds has the labels and values that the panel counts on."""

import re
import tomllib

import history
import pytest
from catalogue import REPOSITORY
from grafana_dashboard import shipped, shipped_named
from grafana_view import View
from quick_life import QuickLife

EXCEPTIONS = tomllib.loads((REPOSITORY / "tests/dashboards/exceptions.toml").read_text(encoding="utf-8"))["empty"]
NAMES = [dashboard.name for dashboard in shipped()]
# Seconds after history.START: while the agent `edge:9847` is away, while `web` hangs and `worker` has failed, at the end.
MOMENTS = (125 * 60, 90 * 60 + 45, history.SECONDS)
CHOICES = {
    "fleet": [{}],
    "backend": [{"instance": "shop:9847", "backend": "web"}, {"instance": "shop:9847", "backend": "api"},
                {"instance": "jobs:9847", "backend": "worker"}],
    "agent": [{"instance": "shop:9847"}, {"instance": "jobs:9847"}, {"instance": "edge:9847"}],
}


@pytest.fixture(scope="session")
def history_views(history_prometheus):
    return lambda dashboard: [View(history_prometheus, dashboard, history.START, history.START + moment, chosen=chosen)
                              for chosen in CHOICES[dashboard.name] for moment in MOMENTS]


@pytest.fixture(scope="session")
def real_views(tmp_path_factory):
    with QuickLife(tmp_path_factory.mktemp("real")).lived() as life:
        yield life.views


@pytest.fixture(params=["history", "real"], scope="session")
def data(request):
    """Which data, and what makes views of a dashboard on it."""
    return request.param, request.getfixturevalue(f"{request.param}_views")


@pytest.fixture(scope="session")
def found(data):
    """{place: series of all views} of a shipped dashboard."""
    known = {}

    def of(dashboard):
        if dashboard.name not in known:
            known[dashboard.name] = ask_all(dashboard, data[1](dashboard))
        return known[dashboard.name]

    return of


def named_in(legend):
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))


def ask_all(dashboard, views, only=""):
    """{place: series of all views}"""
    return {query.place: [series for view in views for series in view.ask(query)]
            for query in dashboard.queries() if only in query.place}


def empty(answers):
    return {place for place, series in answers.items() if not series}


def without_their_labels(dashboard, answers):
    """Queries whose legend names a label that nothing they find has."""
    return {query.place for query in dashboard.queries() if answers.get(query.place)
            and not named_in(query.legend) <= set().union(*(series.labels for series in answers[query.place]))}


def mapped(panel):
    return {float(value) for mapping in panel["fieldConfig"]["defaults"]["mappings"] if mapping["type"] == "value"
            for value in mapping["options"]}


@pytest.mark.parametrize("name", NAMES)
def test_every_query_finds_something(name, data, found):
    listed = {place for place in EXCEPTIONS[data[0]] if place.startswith(name + ":")}
    assert empty(found(shipped_named(name))) == listed


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_has_something_to_choose_from(name, data):
    dashboard = shipped_named(name)
    for view in data[1](dashboard):
        assert view.options and all(view.options.values()), view.options


@pytest.mark.parametrize("name", NAMES)
def test_every_label_of_a_legend_exists(name, found):
    dashboard = shipped_named(name)
    assert without_their_labels(dashboard, found(dashboard)) == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_state_that_is_met_has_its_word(name, found):
    dashboard = shipped_named(name)
    for panel in dashboard.panels():
        if panel["type"] == "state-timeline":
            met = {value for query in dashboard.queries_of(panel) for series in found(dashboard)[query.place]
                   for value in series.values}
            assert met and met <= mapped(panel), panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_every_column_that_is_named_exists(name, found):
    dashboard = shipped_named(name)
    for panel in dashboard.panels():
        if panel["type"] != "table":
            continue
        columns = {"Time"}
        for query in dashboard.queries_of(panel):
            columns |= {f"Value #{query.target['refId']}"}.union(
                *(series.labels for series in found(dashboard)[query.place]))
        organize = next(step["options"] for step in panel["transformations"] if step["id"] == "organize")
        shown = {organize["renameByName"].get(column, column) for column in columns - set(organize["excludeByName"])}
        assert set(organize["excludeByName"]) | set(organize["renameByName"]) | set(organize["indexByName"]) <= columns
        assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= shown


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_is_styled_exists(name):
    """Overrides match by what a legend says, or could say."""
    for panel in shipped_named(name).panels():
        if panel["type"] == "table":
            continue
        legends = [target.get("legendFormat", "") for target in panel["targets"]]
        patterns = [re.compile(re.sub(r"\\{\\{.*?\\}\\}", ".+", re.escape(legend))) for legend in legends]
        for override in panel["fieldConfig"]["overrides"]:
            named = override["matcher"]["options"]
            if override["matcher"]["id"] == "byRegexp":
                assert any(re.search(named.strip("/"), legend) for legend in legends), named
            else:
                assert any(pattern.fullmatch(named) for pattern in patterns), named


@pytest.mark.parametrize("moment,backend,state,reason", [
    (90 * 60 + 45, "web", 6, "spin"), (90 * 60 + 45, "worker", 7, "crash"), (105 * 60, "api", 4, "database: refused"),
    (155 * 60, "api", 6, "db_wait"), (125 * 60, "gateway", 8, "agent does not answer"),
    (190 * 60, "legacy", 8, "agent does not answer"), (50 * 60, "mailer", 0, None), (10 * 60, "web", 1, None)])
def test_the_table_of_backends_tells_the_truth(moment, backend, state, reason, history_prometheus):
    dashboard = shipped_named("fleet")
    view = View(history_prometheus, dashboard, history.START, history.START + moment)
    told = {query.target["refId"]: [series for series in view.ask(query) if series.labels["backend"] == backend]
            for query in dashboard.queries_of(dashboard.panel("Backends now"))}
    assert [series.values for series in told["A"]] == [[state]]
    assert [series.labels["why"] for series in told["B"]] == ([reason] if reason else [])


# Mistakes that must be noticed.

def test_a_misspelled_metric_is_noticed(history_views):
    def misspell(document):
        target = document["panels"][1]["targets"][0]
        target["expr"] = target["expr"].replace("backend_hung", "backend_hunk")

    dashboard = shipped_named("fleet").changed(misspell)
    place = "fleet: panel Hung, A"
    assert empty(ask_all(dashboard, history_views(dashboard), place)) == {place}


@pytest.mark.parametrize("right,wrong", [("backend=~", "backends=~"), ('state="degraded"', 'state="degrated"')])
def test_a_misspelled_matcher_is_noticed(right, wrong, history_views):
    def misspell(document):
        target = document["panels"][3]["targets"][0]
        assert right in target["expr"]
        target["expr"] = target["expr"].replace(right, wrong)

    dashboard = shipped_named("fleet").changed(misspell)
    place = "fleet: panel Degraded, A"
    assert empty(ask_all(dashboard, history_views(dashboard), place)) == {place}


def test_a_misspelled_label_of_a_legend_is_noticed(history_views):
    def misspell(document):
        panel = next(panel for panel in document["panels"] if panel["title"] == "Hangs by class")
        panel["targets"][0]["legendFormat"] = "{{backend}}: {{klass}}"

    dashboard = shipped_named("fleet").changed(misspell)
    place = "fleet: panel Hangs by class, A"
    assert without_their_labels(dashboard, ask_all(dashboard, history_views(dashboard), place)) == {place}


def test_a_query_that_prometheus_does_not_understand_is_noticed(history_views):
    def break_it(document):
        document["panels"][1]["targets"][0]["expr"] += ")"

    dashboard = shipped_named("fleet").changed(break_it)
    with pytest.raises(AssertionError, match="parse error"):
        ask_all(dashboard, history_views(dashboard))


def test_a_variable_that_does_not_exist_is_noticed(history_views):
    def rename(document):
        document["templating"]["list"][-1]["name"] = "service"

    dashboard = shipped_named("fleet").changed(rename)
    with pytest.raises(AssertionError, match=r"nothing is known of \$backend"):
        ask_all(dashboard, history_views(dashboard))
