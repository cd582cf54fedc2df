from prometheus_client.parser import text_string_to_metric_families


class Exposition:
    """One scrape in text format 0.0.4, by series."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.values = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self.types[self._key(sample.name, sample.labels)] = family.type
                self.values[self._key(sample.name, sample.labels)] = sample.value

    @staticmethod
    def _key(name, labels):
        return name, frozenset(labels.items())

    def value(self, name, **labels):
        """The one series of this name that has (at least) these labels."""
        wanted = set(labels.items())
        found = [value for (series, have), value in self.values.items() if series == name and wanted <= have]
        assert len(found) == 1, f"{len(found)} series match {name}{labels}"
        return found[0]

    def counters(self):
        """Everything that may only grow: counters, and the buckets, sums and counts of histograms."""
        return {key: value for key, value in self.values.items()
                if self.types[key] in ("counter", "histogram") and not key[0].endswith("_created")}
