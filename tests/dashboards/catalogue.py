"""What the agent exports, read from the table in exporters/docs/metrics.md, which tests/exporters compares with
the code."""

import dataclasses
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# What Prometheus itself says of each scrape.
OF_PROMETHEUS = {"up": frozenset(), "scrape_duration_seconds": frozenset(), "scrape_samples_scraped": frozenset()}
_ROW = re.compile(r"^\| `([a-z_]+)` \| (gauge|counter|histogram|info) \| ([^|]*) \|", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Family:
    name: str
    type: str
    labels: frozenset  # label names, `le` apart

    def series(self):
        """Label names by the name under which samples are stored."""
        if self.type != "histogram":
            return {self.name: self.labels}
        return {self.name + "_bucket": self.labels | {"le"}, self.name + "_sum": self.labels,
                self.name + "_count": self.labels}


def read_catalogue():
    """Families by their name in the text format: counters with their `_total`."""
    document = REPOSITORY / "exporters" / "docs" / "metrics.md"
    rows = _ROW.findall(document.read_text(encoding="utf-8"))
    assert rows, f"{document} has no table of metrics"
    return {name: Family(name, kind, frozenset(re.findall("`([a-z]+)`", labels))) for name, kind, labels in rows}


def stored_series():
    """Label names of every series that a Prometheus has of an agent, without `job` and `instance`."""
    found = dict(OF_PROMETHEUS)
    for family in read_catalogue().values():
        found.update(family.series())
    return found
