"""`cmake --install` puts everything where a Debian user looks."""
import os
import re
import subprocess
from pathlib import Path

BUILD = Path(os.environ["CODEX_AGENT"]).parent


def test_installed_files_are_in_their_places_and_the_cli_finds_its_daemon(tmp_path):
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(tmp_path)], check=True, capture_output=True)
    for place in (
        "bin/codex-agent",
        "bin/codex-agentd",
        "lib/systemd/system/codex-agent.service",
        "share/bash-completion/completions/codex-agent",
        "share/zsh/vendor-completions/_codex-agent",
        "share/fish/vendor_completions.d/codex-agent.fish",
        "share/doc/codex-agent/README.md",
        "share/doc/codex-agent/agent/docs/changes.md",
        "share/doc/codex-agent/agent/docs/commands.md",
        "share/doc/codex-agent/exporters/docs/metrics.md",
        "share/doc/codex-agent/dashboards/README.md",
        "share/codex-agent/dashboards/runbooks.md",
        "share/codex-agent/dashboards/prometheus/prometheus.yml",
        "share/codex-agent/dashboards/prometheus/codex-agent.rules.yml",
        "share/codex-agent/dashboards/prometheus/codex-agent.alerts.yml",
        "share/codex-agent/dashboards/prometheus/targets/codex-agent.yml",
        "share/codex-agent/dashboards/alertmanager/alertmanager.yml",
        "share/codex-agent/dashboards/grafana/provisioning/alerting/codex-agent-rules.yaml",
    ):
        assert (tmp_path / place).is_file(), place
    documents = tmp_path / "share/doc/codex-agent"
    for document in documents.rglob("*.md"):
        for link in re.findall(r"\]\(([^):#]+)[)#]", document.read_text(encoding="utf-8")):
            assert (document.parent / link).is_file(), f"{document}: {link}"
    unit = (tmp_path / "lib/systemd/system/codex-agent.service").read_text()
    for place in re.findall(r"^Documentation=file:/usr/(.*)$", unit, re.M):
        assert (tmp_path / place).is_file(), place
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text('{"name": "shop", "scripts": {"dev": "node server.js"}}')
    checked = subprocess.run([str(tmp_path / "bin/codex-agent"), "-C", str(project), "config", "check"],
                             capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    assert "1 backend" in checked.stdout
