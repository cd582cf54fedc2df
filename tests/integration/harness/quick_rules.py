"""The shipped Prometheus and Alertmanager files, made quick enough for a test: `for` and `keep_firing_for` are a
twentieth (a minute is 3 s), scrapes, evaluations and notifications a second apart. Expressions, labels, routes and
receivers stay as they are."""

import re
import shutil

import yaml

from .agent import REPOSITORY

_DASHBOARDS = REPOSITORY / "dashboards"
_UNITS = {"s": 1, "m": 60, "h": 3600}


def _twentieth(match):
    return f"{match.group(1)}{int(match.group(2)) * _UNITS[match.group(3)] * 1000 // 20}ms"


def prometheus_configuration(directory, target, alertmanager_port):
    """Writes rules and file_sd targets into `directory` and answers the text of a prometheus.yml for them: the example
    without its static job."""
    shutil.copytree(_DASHBOARDS / "prometheus", directory, dirs_exist_ok=True)
    for path in directory.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"^( *(?:for|keep_firing_for): )(\d+)([smh])$", _twentieth, text, flags=re.MULTILINE),
                        encoding="utf-8")
    (directory / "targets" / "codex-agent.yml").write_text(yaml.safe_dump([{"targets": [target]}]), encoding="utf-8")
    configuration = yaml.safe_load((directory / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    (manager,) = configuration["alerting"]["alertmanagers"]
    manager["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]
    configuration["scrape_configs"] = [job for job in configuration["scrape_configs"] if "file_sd_configs" in job]
    return yaml.safe_dump(configuration)


def alertmanager_configuration(webhook_url):
    text = (_DASHBOARDS / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    return re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text).replace("http://127.0.0.1:9095", webhook_url)
