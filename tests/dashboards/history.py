"""Four hours of four agents in which everything that the dashboards and alerts are for happens once. Written as
OpenMetrics text with timestamps, which promtool turns into the blocks of a real Prometheus. The times of the plot are
minutes after START."""

import functools
import subprocess

from catalogue import read_catalogue
from simulated_agent import SimulatedAgent
from simulated_backend import Change, SimulatedBackend

START = 1767225600  # 2026-01-01 00:00 UTC
SECONDS = 4 * 3600
END = START + SECONDS
STEP = 15  # the scrape interval of dashboards/prometheus/prometheus.yml
JOB = "codex-agent"
MIB = 1 << 20

KILLED = ("signal", 137, "")
CRASHED = ("exit_nonzero", 1, "crash")


def started(at, took=3.0, **facts):
    return [Change(at, "starting", cores=.9, **facts), Change(at + took, "running")]


def hang(minute, hang_class, lasts, *, restart=True, **facts):
    """Seen as hung for `lasts` seconds; then restarted, or well again by itself."""
    at = minute * 60
    facts.setdefault("failing", {"http": "timeout"})
    story = [Change(at, "hung", hang=hang_class, **facts)]
    if restart:
        return [*story, Change(at + lasts, "stopping"), *started(at + lasts + 2, restart="hang", exit=KILLED)]
    return [*story, Change(at + lasts, "running")]


def trouble(minute, lasts, failing):
    return [Change(minute * 60, "degraded", failing=failing), Change(minute * 60 + lasts, "running")]


def crash_loop(minute, until):
    """Five crashes in a row, then `failed` with a retry every five minutes until somebody repairs it."""
    at, story = minute * 60.0, []
    for n, delay in enumerate((1, 2, 4, 8, 16)):
        story += [Change(at, "backoff", exit=CRASHED, backoff=delay, budget=4 - n),
                  *started(at + delay, took=2.0, restart="crash")]
        at += delay + 6
    story.append(Change(at, "failed", exit=CRASHED, backoff=300, budget=0))
    while at + 300 < until * 60:
        at += 300
        story += [Change(at, "starting", restart="crash", budget=0),
                  Change(at + 2, "failed", exit=CRASHED, start_failure="early_exit", backoff=300, budget=0)]
    return [*story, *started(until * 60)]


def flap(minute, times):
    return [change for n in range(times) for change in trouble(minute + n, 25, {"http": "status"})]


def operator_stop(minute, until, start_takes):
    return [Change(minute * 60, "stopping", wanted=False),
            Change(minute * 60 + 1, "stopped", wanted=False, exit=("exit_zero", 0, "")),
            *started(until * 60, took=start_takes)]


def growing(begin, end, low, high):
    """Memory that grows from minute `begin` to minute `end`, and is small again after that."""
    def at(now):
        share = (now / 60 - begin) / (end - begin)
        return low + (high - low) * share if 0 <= share < 1 else low + 2 * MIB * (now % 600) / 600
    return at


def between(begin, end, value, otherwise):
    return lambda now: value if begin * 60 <= now < end * 60 else otherwise


def agents():
    web = SimulatedBackend("web", [
        *started(0), *hang(60, "spin", 90, queue=7, cores=1.0), *hang(75, "spin", 60, queue=3, cores=1.0),
        *hang(90, "spin", 300, queue=5, cores=1.0),
        Change(235 * 60, "stopping"), *started(235 * 60 + 2, restart="memory_limit", exit=KILLED),
    ], memory=growing(160, 235, 112 * MIB, 512 * MIB), memory_limit=512 * MIB)
    api = SimulatedBackend("api", [
        *started(0), *trouble(100, 900, {"database": "refused"}),
        *hang(150, "db_wait", 600, restart=False, failing={"http": "timeout", "database": "timeout"}),
    ], latency=between(30, 50, 2.8, .0034))
    worker = SimulatedBackend("worker", [
        *started(0), *crash_loop(80, until=110), *hang(220, "handler", 40)], probes=("http",))
    mailer = SimulatedBackend("mailer", [
        *started(0), *operator_stop(40, until=70, start_takes=55), Change(120 * 60, "stopping"),
        *started(120 * 60 + 1, restart="manual", exit=("exit_zero", 0, "")), *flap(180, times=20),
    ], probes=("http", "port"))
    gateway = SimulatedBackend("gateway", [
        *started(0), *hang(50, "futex", 120, queue=4), *trouble(85, 300, {"http": "timeout"}),
    ], probes=("http", "port"), fd_ratio=between(200, 215, .95, .04))
    legacy = SimulatedBackend("legacy", started(0), probes=("http",))
    minutes = lambda begin, end: (begin * 60, end * 60)
    return [
        SimulatedAgent("shop:9847", [web, api]),
        SimulatedAgent("jobs:9847", [worker, mailer], hooks_fail=minutes(130, 160)),
        SimulatedAgent("edge:9847", [gateway], away=minutes(120, 135), stalled=minutes(20, 24),
                       bad_config=minutes(150, 175), io_unreadable=minutes(205, 230)),
        SimulatedAgent("old:9847", [legacy], away=(180 * 60, SECONDS + 1)),
    ]


@functools.cache
def generate(origin=START):
    """{(name, labels): [(seconds after the begin, value), ...]}, `job` and `instance` among the labels. `origin` is the
    Unix time of the begin, for the values that are times."""
    series = {}
    for agent in agents():
        target = (("job", JOB), ("instance", agent.instance))
        for now in range(0, SECONDS + 1, STEP):
            for name, labels, value in agent.scrape(now, origin):
                series.setdefault((name, target + labels), []).append((now, value))
    return series


def promtool_series(series, lasts=SECONDS):
    """The same in the notation of `promtool test rules`, where time begins at 0: generate with origin 0."""
    found = []
    for (name, labels), samples in series.items():
        values, known = [], dict(samples)
        for at in range(0, lasts + 1, STEP):
            gone = at not in known
            values.append("stale" if gone and at - STEP in known else "_" if gone else repr(known[at]))
        text = ",".join(f'{label}="{value}"' for label, value in labels)
        found.append({"series": f"{name}{{{text}}}", "values": " ".join(values)})
    return found


def write_openmetrics(series, path):
    types = {name: family.type.replace("info", "gauge") for name, family in read_catalogue().items()}
    families = {}
    for name, labels in series:
        family = name if name in types else name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        families.setdefault(family, []).append((name, labels))
    with open(path, "w", encoding="ascii") as out:
        for family, keys in families.items():
            out.write(f"# TYPE {family.removesuffix('_total')} {types.get(family, 'gauge')}\n")
            for name, labels in keys:
                head = f"{name}{{{','.join(f'{label}=' + chr(34) + value + chr(34) for label, value in labels)}}} "
                out.writelines(f"{head}{value} {START + at}\n" for at, value in series[name, labels])
        out.write("# EOF\n")


def backfill(directory, series=None):
    """Makes `directory`/data, the storage of a Prometheus that knows the history."""
    text = directory / "history.om"
    write_openmetrics(generate() if series is None else series, text)
    done = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, directory / "data"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text.unlink()
    return directory / "data"
