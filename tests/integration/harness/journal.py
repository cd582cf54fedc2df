import json


class Journal:
    """What the generations of a backend wrote about themselves (tests/backends/README.md)."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines() if line]

    def events(self, name):
        return [line for line in self.lines() if line["event"] == name]

    def starts(self):
        return self.events("start")

    def check_no_overlap(self):
        """No generation met an earlier one alive, and none started before the one before had said goodbye."""
        assert self.events("overlap") == [], "two generations lived at the same time"
        ends = {(line["pid"], line["ticks"]): line["at"] for line in self.events("exit")}
        starts = self.starts()
        for earlier, later in zip(starts, starts[1:]):
            end = ends.get((earlier["pid"], earlier["ticks"]))
            if end is not None:
                assert end <= later["at"], f"{later} started before {earlier} had ended"
