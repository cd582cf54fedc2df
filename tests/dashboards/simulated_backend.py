import collections
import dataclasses

from simulated_histogram import (DETECTION_BOUNDS, PROBE_BOUNDS, RECOVERY_BOUNDS, STARTUP_BOUNDS,
                                 SimulatedHistogram)

STATES = ("stopped", "starting", "running", "degraded", "hung", "stopping", "backoff", "failed")
START_FAILURES = ("exec_error", "early_exit", "ready_timeout", "aborted")
HANG_SIGNALS = ("accept_queue", "event_loop", "cpu", "uninterruptible", "stopped", "descriptors", "http_probe",
                "requests")
RESTARTS = ("exit", "crash", "hang", "probe_failure", "startup_timeout", "memory_limit", "oom_kill", "dependency",
            "wrapper_idle", "config_change", "manual")
OUTCOMES = ("exit_zero", "exit_nonzero", "signal")
CAUSES = ("exit", "crash", "segfault", "abort", "heap_oom", "oom_kill", "port_taken", "module_not_found",
          "syntax_error", "db_refused", "exec_error", "wrapper_idle")
HANGS = ("blocked_syscall", "db_wait", "disk_wait", "fd_exhausted", "futex", "gc", "handler", "paused",
         "pool_exhausted", "spin", "startup_stuck", "starved", "stopped", "sync_child", "threadpool", "upstream")
REASONS = ("timeout", "refused", "reset", "resolve", "tls", "status", "body", "protocol", "auth", "query", "internal")
PROCESS_STATES = ("running", "sleeping", "disk_sleep", "stopped", "zombie", "idle", "other")
PROBE_PHASES = {"http": ("resolve", "connect", "processing", "transfer"), "port": ("connect",),
                "database": ("resolve", "connect", "auth", "query")}
PROBE_TARGETS = {"http": "http://127.0.0.1:5000/health", "port": "127.0.0.1:5000", "database": "127.0.0.1:5432/shop"}
ALIVE = ("starting", "running", "degraded", "hung", "stopping")
PROBED = ("starting", "running", "degraded", "hung")
PERIOD = 5
TIMEOUT = {"http": 5, "port": 5, "database": 3}
START_LIMIT = 5


@dataclasses.dataclass(frozen=True)
class Change:
    """From `at` on (seconds after the begin of the history) the backend is in `state`."""

    at: float
    state: str
    wanted: bool = True
    restart: str = ""        # reason of the restart that was decided at this moment
    start_failure: str = ""  # reason
    exit: tuple = ()         # (outcome, code, cause); cause "" for an end that was asked for
    hang: str = ""           # class
    failing: dict = dataclasses.field(default_factory=dict)  # probe: reason, as long as this state lasts
    queue: int = 0           # connections that wait to be accepted
    cores: float = 0.05      # CPU time that the tree takes
    backoff: float = 0       # seconds to the next start
    budget: int = START_LIMIT


class SimulatedBackend:
    """One backend that lives through a story, a list of Changes; `advance` to a time, then take its samples."""

    def __init__(self, name, story, *, probes=("database", "http", "port"), memory=None, memory_limit=None,
                 fd_ratio=None, latency=None):
        self._name = name
        self._pending = collections.deque(sorted(story, key=lambda change: change.at))
        self._probes = probes
        self._memory = memory or (lambda now: 112e6 + 4e6 * (now % 600) / 600)
        self._memory_limit = memory_limit
        self._fd_ratio = fd_ratio or (lambda now: 0.04)
        self._latency = latency or (lambda now: 0.0034)
        self._now = 0.0
        self._current = Change(0, "stopped", wanted=False)
        self._unhealthy_since = None
        self._hung_since = None
        self._started_at = None
        self._last_exit = None
        self.forget()

    def forget(self):
        """A new agent that knows nothing of the one before: every counter begins anew."""
        self._counts = collections.Counter()
        self._cpu = {"user": 0.0, "system": 0.0}
        self._startup = SimulatedHistogram(STARTUP_BOUNDS)
        self._recovery = SimulatedHistogram(RECOVERY_BOUNDS)
        self._hangs = SimulatedHistogram(RECOVERY_BOUNDS)
        self._detections = SimulatedHistogram(DETECTION_BOUNDS)
        self._durations = {probe: SimulatedHistogram(PROBE_BOUNDS) for probe in self._probes}
        self._phases = {}
        self._streak = collections.Counter()
        self._last_attempt = {}
        self._last_success = {}

    def advance(self, now):
        while self._pending and self._pending[0].at <= now:
            self._live_to(self._pending[0].at)
            self._enter(self._pending.popleft())
        self._live_to(now)

    def _live_to(self, now):
        current, begin, self._now = self._current, self._now, now
        if current.state in ALIVE:
            self._cpu["user"] += (now - begin) * current.cores * .85
            self._cpu["system"] += (now - begin) * current.cores * .15
            self._counts["output"] += (now - begin) * (0 if current.state == "hung" else 2)
        if current.state in PROBED:
            for probe in self._probes:
                self._attempt(probe, int(now // PERIOD) - int(begin // PERIOD), now // PERIOD * PERIOD)

    def _attempt(self, probe, times, at):
        if not times:
            return
        self._counts["attempts", probe] += times
        self._last_attempt[probe] = at
        reason = self._current.failing.get(probe)
        if reason:
            self._counts["failures", probe, reason] += times
            self._streak[probe] += times
        else:
            self._streak[probe] = 0
            self._last_success[probe] = at
            self._durations[probe].observe(self._latency(at), times)

    def _enter(self, change):
        before, self._current = self._current, change
        self._counts["entries", change.state] += 1
        if change.restart:
            self._counts["restarts", change.restart] += 1
        if change.start_failure:
            self._counts["start_failures", change.start_failure] += 1
        if change.exit:
            outcome, code, cause = change.exit
            self._counts["exits", outcome] += 1
            self._counts["causes", cause] += bool(cause)
            self._counts["signals", "SIGTERM"] += not cause
            self._counts["signals", "SIGKILL"] += outcome == "signal" and not cause
            self._last_exit = (code, change.at)
        if change.hang:
            self._counts["hangs", change.hang] += 1
            self._detections.observe(.9)
            self._hung_since = change.at - 1
        elif self._hung_since is not None:
            self._hangs.observe(change.at - self._hung_since)
            self._hung_since = None
        if change.state == "starting":
            self._counts["starts"] += 1
            self._started_at = change.at
        if change.state == "running" and before.state == "starting":
            took = change.at - before.at
            self._startup.observe(took)
            self._phases = {"spawn": .01, "listen": took * .6, "database": took * .1, "respond": took * .3 - .01}
        if change.state == "running" and self._unhealthy_since is not None:
            self._recovery.observe(change.at - self._unhealthy_since)
            self._unhealthy_since = None
        elif change.wanted and change.state not in ("running", "starting") and self._unhealthy_since is None:
            self._unhealthy_since = change.at

    def samples(self, origin):
        """(name, labels, value) of everything the agent says of this backend; `origin` is the Unix time of 0."""
        own = (("backend", self._name),)
        yield from self._state(own, origin)
        yield from self._counters(own)
        yield from self._resources(own, origin)
        for probe in self._probes:
            yield from self._probe(probe, (*own, ("probe", probe)), origin)

    def _state(self, own, origin):
        current, prefix = self._current, "codex_agent_backend_"
        alive = current.state in ALIVE
        yield prefix + "up", own, int(alive)
        yield prefix + "ready", own, int(current.state == "running")
        yield prefix + "desired_running", own, int(current.wanted)
        yield prefix + "hung", own, int(current.state == "hung")
        yield prefix + "overloaded", own, 0
        for signal in HANG_SIGNALS:
            speaks = current.state == "hung" and signal in ("accept_queue", "event_loop", "cpu", "http_probe")
            yield prefix + "hang_signal", (*own, ("signal", signal)), int(speaks)
        for state in STATES:
            yield prefix + "state", (*own, ("state", state)), int(state == current.state)
        yield prefix + "state_last_change_timestamp_seconds", own, origin + current.at
        if alive and self._started_at is not None:
            yield prefix + "start_time_seconds", own, origin + self._started_at
        if self._last_exit:
            yield prefix + "last_exit_code", own, self._last_exit[0]
            yield prefix + "last_exit_timestamp_seconds", own, origin + self._last_exit[1]
        yield prefix + "restart_backoff_seconds", own, current.backoff
        yield prefix + "restart_budget_remaining", own, current.budget
        if current.backoff:
            yield prefix + "next_attempt_timestamp_seconds", own, origin + current.at + current.backoff
        for phase, seconds in self._phases.items():
            yield prefix + "startup_phase_duration_seconds", (*own, ("phase", phase)), seconds
        yield prefix + "startup_timeout_seconds", own, 60
        yield prefix + "workers", own, int(alive)
        yield prefix + "workers_hung", own, 0
        if "port" in self._probes and alive:
            yield prefix + "accept_queue_connections", own, current.queue

    def _counters(self, own):
        prefix, counts = "codex_agent_backend_", self._counts
        for name, label, key, values in (
                ("state_entries_total", "state", "entries", STATES),
                ("start_failures_total", "reason", "start_failures", START_FAILURES),
                ("restarts_total", "reason", "restarts", RESTARTS),
                ("exits_total", "outcome", "exits", OUTCOMES),
                ("exit_causes_total", "cause", "causes", CAUSES),
                ("stop_signals_total", "signal", "signals", ("SIGTERM", "SIGKILL")),
                ("hangs_total", "class", "hangs", HANGS),
                ("worker_hangs_total", "class", "worker_hangs", HANGS)):
            for value in values:
                yield prefix + name, (*own, (label, value)), counts[key, value]
        yield prefix + "starts_total", own, counts["starts"]
        yield from self._startup.samples(prefix + "startup_duration_seconds", own)
        yield from self._recovery.samples(prefix + "recovery_duration_seconds", own)
        yield from self._hangs.samples(prefix + "hang_duration_seconds", own)
        yield from self._detections.samples(prefix + "hang_detection_delay_seconds", own)
        yield prefix + "hang_watch_cpu_seconds_total", own, round(self._counts["output"] * .0002, 6)

    def _resources(self, own, origin):
        prefix, current, now = "codex_agent_backend_", self._current, self._now
        alive = int(current.state in ALIVE)
        memory, ticks = alive * self._memory(now), self._cpu["user"] + self._cpu["system"]
        yield prefix + "processes", own, 4 * alive
        yield prefix + "threads", own, 33 * alive
        busy = int(alive and current.cores > .5)
        for state in PROCESS_STATES:
            count = {"running": busy, "sleeping": 4 * alive - busy}.get(state, 0)
            yield prefix + "process_states", (*own, ("state", state)), count
        for mode, seconds in self._cpu.items():
            yield prefix + "cpu_seconds_total", (*own, ("mode", mode)), round(seconds, 6)
        yield prefix + "resident_memory_bytes", own, int(memory)
        yield prefix + "used_memory_bytes", own, int(memory)
        yield prefix + "virtual_memory_bytes", own, int(memory * 9)
        yield prefix + "swap_memory_bytes", own, 8192 * alive
        yield prefix + "proportional_memory_bytes", own, int(memory * .8)
        if self._memory_limit:
            yield prefix + "memory_limit_bytes", own, int(self._memory_limit)
        yield prefix + "open_fds", own, int(alive * 1600 * self._fd_ratio(now))
        yield prefix + "worst_fd_ratio", own, alive * self._fd_ratio(now)
        for name, per_second in (("read_bytes", 4096), ("written_bytes", 20480), ("major_page_faults", .1),
                                 ("minor_page_faults", 100)):
            yield f"{prefix}{name}_total", own, int(ticks * 20 * per_second)
        for kind, per_second in (("voluntary", 50), ("involuntary", 2)):
            yield prefix + "context_switches_total", (*own, ("kind", kind)), int(ticks * 20 * per_second)
        lines = int(self._counts["output"])
        for stream, share in (("stdout", .9), ("stderr", .1)):
            yield prefix + "output_lines_total", (*own, ("stream", stream)), int(lines * share)
            yield prefix + "output_bytes_total", (*own, ("stream", stream)), int(lines * share) * 80
        yield prefix + "output_dropped_bytes_total", own, 0
        last = now if current.state != "hung" else current.at
        yield prefix + "last_output_timestamp_seconds", own, origin + last

    def _probe(self, probe, own, origin):
        prefix, reason = "codex_agent_probe_", self._current.failing.get(probe)
        yield prefix + "attempts_total", own, self._counts["attempts", probe]
        for value in REASONS:
            yield prefix + "failures_total", (*own, ("reason", value)), self._counts["failures", probe, value]
        yield from self._durations[probe].samples(prefix + "duration_seconds", own)
        yield prefix + "consecutive_failures", own, self._streak[probe]
        yield prefix + "failure_threshold", own, 3
        yield prefix + "interval_seconds", own, PERIOD
        yield prefix + "timeout_seconds", own, TIMEOUT[probe]
        yield prefix + "info", (*own, ("kind", probe), ("target", PROBE_TARGETS[probe])), 1
        if probe not in self._last_attempt:
            return
        took = TIMEOUT[probe] if reason == "timeout" else self._latency(self._now)
        yield prefix + "success", own, int(self._streak[probe] == 0)
        yield prefix + "last_duration_seconds", own, took
        for phase in PROBE_PHASES[probe]:
            yield prefix + "phase_duration_seconds", (*own, ("phase", phase)), took / len(PROBE_PHASES[probe])
        yield prefix + "last_attempt_timestamp_seconds", own, origin + self._last_attempt[probe]
        if probe in self._last_success:
            yield prefix + "last_success_timestamp_seconds", own, origin + self._last_success[probe]
        if probe == "http":
            yield prefix + "http_status_code", own, {None: 200, "status": 503}.get(reason, 0)
            yield prefix + "http_body_bytes", own, 38 if reason in (None, "status") else 0
