from simulated_histogram import LAG_BOUNDS, SimulatedHistogram

HANDLERS = (("/", 200), ("/-/healthy", 200), ("/-/ready", 200), ("/-/ready", 503), ("/api/v1/status", 200),
            ("/metrics", 200), ("other", 404))
REJECTIONS = ("accept", "deadline", "forbidden", "limit", "malformed", "too_large")
HOOK_RESULTS = ("success", "failure", "timeout", "dropped")


class SimulatedAgent:
    """One codex-agent with its backends, as Prometheus sees it. `away` is when it cannot be scraped; after that it
    has forgotten its counters. The other arguments are intervals (begin, end) of what they say."""

    def __init__(self, instance, backends, *, away=None, io_unreadable=None, hooks_fail=None, stalled=None,
                 bad_config=None):
        self.instance = instance
        self._backends = backends
        self._away = away
        self._io_unreadable = io_unreadable
        self._hooks_fail = hooks_fail
        self._stalled = stalled
        self._bad_config = bad_config
        self._started_at = -3600.0
        self._begin(0)

    def _begin(self, now):
        self._begun_at = self._now = now
        self._lag = SimulatedHistogram(LAG_BOUNDS)
        self._hooks = dict.fromkeys(HOOK_RESULTS, 0)

    def scrape(self, now, origin):
        """(name, labels, value) of one scrape, with what Prometheus adds; nothing but `up` while it is away."""
        for backend in self._backends:
            backend.advance(now)
        up = not self._within(self._away, now)
        yield "up", (), int(up)
        yield "scrape_duration_seconds", (), .004 if up else .0005
        yield "scrape_samples_scraped", (), 500 if up else 0
        if not up:
            return
        if self._away and now >= self._away[1] and self._begun_at < self._away[1]:
            self._begin(now)
            self._started_at = now - 5
            for backend in self._backends:
                backend.forget()
        self._live_to(now)
        yield from self._samples(now, origin)
        for backend in self._backends:
            yield from backend.samples(origin)

    @staticmethod
    def _within(interval, now):
        return interval is not None and interval[0] <= now < interval[1]

    def _live_to(self, now):
        elapsed, self._now = now - self._now, now
        self._lag.observe(.0004, int(elapsed * 20))
        if now % 300 < elapsed:
            self._lag.observe(.02)
            self._hooks["failure" if self._within(self._hooks_fail, now) else "success"] += 1

    def _samples(self, now, origin):
        prefix, age = "codex_agent_", now - self._begun_at
        yield prefix + "build_info", (("version", "0.1.0"), ("revision", "abc123"), ("compiler", "g++ 12.2.0")), 1
        yield prefix + "config_last_reload_successful", (), int(not self._within(self._bad_config, now))
        yield prefix + "config_last_reload_success_timestamp_seconds", (), origin + self._started_at
        yield prefix + "scrape_duration_seconds", (), .00025
        unreadable = self._within(self._io_unreadable, now)
        for collector in ("io", "process"):
            own = (("collector", collector),)
            yield prefix + "scrape_collector_success", own, int(not (collector == "io" and unreadable))
            yield prefix + "scrape_collector_duration_seconds", own, .0001
        yield prefix + "collect_errors_total", (("source", "process"),), 0
        for handler, code in HANDLERS:
            count = int(age / 15) if handler == "/metrics" else int(age / 600) if code == 200 else 0
            yield prefix + "http_requests_total", (("handler", handler), ("code", str(code))), count
        yield prefix + "http_requests_in_flight", (), 1
        for reason in REJECTIONS:
            count = int(age / 1800) if reason == "deadline" else 0
            yield prefix + "http_rejected_connections_total", (("reason", reason),), count
        last = self._stalled[0] if self._within(self._stalled, now) else now
        yield prefix + "loop_last_iteration_timestamp_seconds", (("loop", "main"),), origin + last
        yield from self._lag.samples(prefix + "loop_lag_seconds", (("loop", "main"),))
        yield prefix + "loop_callback_errors_total", (("loop", "main"),), 0
        for level, every in (("debug", 0), ("info", 60), ("warning", 600), ("error", 3600)):
            yield prefix + "log_messages_total", (("level", level),), int(age / every) if every else 0
        for result, count in self._hooks.items():
            yield prefix + "event_hook_runs_total", (("result", result),), count
        for result, count in (("success", int(age / 300)), ("failure", 0), ("timeout", int(age / 7200))):
            yield prefix + "evidence_captures_total", (("result", result),), count
        yield "process_cpu_seconds_total", (), round(age * .0013, 6)
        yield "process_open_fds", (), 47
        yield "process_max_fds", (), 20000
        yield "process_virtual_memory_bytes", (), 124973056
        yield "process_virtual_memory_max_bytes", (), 18446744073709551616
        yield "process_resident_memory_bytes", (), 8200000 + int(now % 7) * 4096
        yield "process_start_time_seconds", (), origin + self._started_at
        yield "process_threads", (), 4
