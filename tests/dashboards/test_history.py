"""The generated history is what a real agent would have left in Prometheus: the same names and labels."""

import history
import pytest
from catalogue import REPOSITORY, read_catalogue, stored_series
from prometheus_client.parser import text_string_to_metric_families


def test_the_catalogue_is_what_the_exporter_writes():
    golden = REPOSITORY / "tests" / "exporters" / "golden" / "metrics.prom"
    written = {}
    for family in text_string_to_metric_families(golden.read_text(encoding="utf-8")):
        name = family.name + "_total" if family.type == "counter" else family.name
        written[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    of_process = {name for name in read_catalogue() if name.startswith("process_")}
    assert written == {name: family.labels for name, family in read_catalogue().items() if name not in of_process}


def test_it_has_every_metric_of_the_catalogue_with_its_labels_and_no_other():
    found = {}
    for name, labels in history.generate():
        found.setdefault(name, set()).add(frozenset(label for label, _ in labels))
    expected = {name: {labels | {"job", "instance"}} for name, labels in stored_series().items()}
    assert found == expected


def test_counters_only_go_down_where_an_agent_began_anew():
    for (name, labels), samples in history.generate().items():
        if not name.endswith(("_total", "_bucket", "_count")):
            continue
        falls = [at for (_, before), (at, after) in zip(samples, samples[1:]) if after < before]
        assert falls in ([], [135 * 60]), f"{name}{labels} goes down at {falls}"


@pytest.mark.parametrize("state,backend,minute", [
    ("hung", "web", 61), ("hung", "api", 155), ("backoff", "worker", 80.5), ("failed", "worker", 90),
    ("stopped", "mailer", 50), ("starting", "mailer", 70.5), ("degraded", "api", 105), ("degraded", "mailer", 185)])
def test_a_real_prometheus_knows_what_happened(history_prometheus, state, backend, minute):
    at = history.START + minute * 60
    found = history_prometheus.query("codex_agent_backend_state == 1", at)
    assert [labels["state"] for labels, _ in found if labels["backend"] == backend] == [state]


def test_an_agent_that_is_away_has_no_series(history_prometheus):
    def scraped(minute, expression):
        return {labels["instance"] for labels, _ in history_prometheus.query(expression, history.START + minute * 60)}

    assert scraped(125, "up == 0") == {"edge:9847"} and scraped(190, "up == 0") == {"old:9847"}
    assert scraped(125, "codex_agent_build_info") == {"shop:9847", "jobs:9847", "old:9847"}
    assert scraped(136, "codex_agent_build_info") == {"shop:9847", "jobs:9847", "edge:9847", "old:9847"}
