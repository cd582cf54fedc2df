import bisect

PROBE_BOUNDS = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
STARTUP_BOUNDS = (.1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300)
DETECTION_BOUNDS = (.25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60)
RECOVERY_BOUNDS = (1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
LAG_BOUNDS = (.001, .005, .01, .05, .1, .5, 1, 5)


class SimulatedHistogram:
    """A classic histogram as the agent keeps it."""

    def __init__(self, bounds):
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value, times=1):
        self._counts[bisect.bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def samples(self, name, labels):
        below = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts):
            below += count
            yield name + "_bucket", (*labels, ("le", str(bound))), below
        yield name + "_sum", labels, round(self._sum, 6)
        yield name + "_count", labels, below
