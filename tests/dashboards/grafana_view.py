"""Asks a Prometheus what Grafana would ask it to show a dashboard: variables resolved and put in, steps chosen."""

import dataclasses
import math
import re

from rule_files import seconds

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)
_WIDTH = 1000  # points that a panel has room for


@dataclasses.dataclass(frozen=True)
class Series:
    labels: dict
    values: list  # NaN is left out


def escape_in_regex(value):
    """As Grafana's Prometheus data source writes a value of a variable that may have several, into a string."""
    return _SPECIAL.sub(lambda match: "\\\\" + match.group(), value.replace("\\", "\\\\\\\\"))


def escape_in_string(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')


class View:
    """A dashboard over a stretch of time. `chosen` has values of variables; what it leaves out is as it is when the
    dashboard is opened. `minute` is how many seconds a minute has: less where the scrapes come quicker."""

    def __init__(self, prometheus, dashboard, begin, end, *, scrape_interval=15, minute=60, chosen=None):
        self._prometheus = prometheus
        self._begin, self._end = begin, end
        self._scrape_interval = scrape_interval
        self._minute = minute
        self._values = {}
        self.options = {}  # what a variable can be set to, by its name
        for variable in dashboard.variables:
            self._resolve(variable, dashboard.selectors(), chosen or {})

    def _resolve(self, variable, selectors, chosen):
        name = variable["name"]
        if variable["type"] == "datasource":
            return
        self.options[name] = self._prometheus.api(
            f"label/{variable['query']['query'].rpartition(',')[2].strip(' )')}/values",
            **{"match[]": self._interpolate(selectors[name], {}), "start": self._begin, "end": self._end})
        current = variable["current"].get("value")
        value = chosen.get(name, current if current in self.options[name] or variable["multi"] else None)
        if value is None and self.options[name]:
            value = self.options[name][0]
        if value == ["$__all"]:
            self._values[name] = variable["allValue"]
        elif variable["multi"]:
            escaped = [escape_in_regex(item) for item in value]
            self._values[name] = escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
        else:
            self._values[name] = escape_in_string(value or "")

    def _interpolate(self, text, built_in):
        values = {**self._values, **built_in}

        def value(match):
            name = match.group(1) or match.group(2)
            assert name in values, f"{text}: nothing is known of ${name}"
            return str(values[name])

        return _VARIABLE.sub(value, text)

    def step(self, query):
        least = seconds(query.interval) * self._minute // 60 or self._scrape_interval
        wanted = (self._end - self._begin) / _WIDTH
        return max(least, self._scrape_interval, next((step for step in _STEPS if step >= wanted), _STEPS[-1]))

    def expression(self, query):
        step = self.step(query)
        span = int(self._end - self._begin)
        rate = max(step + self._scrape_interval, 4 * self._scrape_interval)
        return self._interpolate(query.expression, {
            "__interval": f"{step}s", "__rate_interval": f"{rate}s", "__range": f"{span}s"})

    def text(self, template):
        """A title with the values of its variables."""
        return self._interpolate(template, {})

    def samples(self, query):
        """[(labels, [(Unix time, value), ...])]. Raises AssertionError with Prometheus' words if it refuses the query."""
        expression = self.expression(query)
        if query.instant:
            return [(labels, [(self._end, value)]) for labels, value in self._prometheus.query(expression, self._end)]
        return self._prometheus.query_range(expression, self._begin, self._end, self.step(query))

    def ask(self, query):
        """Series with at least one number."""
        series = [Series(labels, [value for _, value in points if not math.isnan(value)])
                  for labels, points in self.samples(query)]
        return [one for one in series if one.values]
