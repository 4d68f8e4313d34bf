"""A private Prometheus that reads processes as deploy/prometheus/prometheus.yaml says, only more often."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.support.monitoring import ALERTS, SCRAPING
from tests.support.ports import free_port
from tests.support.waiting import until


class PrivatePrometheus:
    """Prometheus with the project's configuration, while it is used with ``with``.

    Parameters:
      folder: For its data; made here.
      targets: Ports of this machine, by the job's name in that configuration, which has no others.
    """

    def __init__(self, folder: Path, targets: Mapping[str, int]) -> None:
        folder.mkdir()
        self._folder = folder
        config = yaml.safe_load(SCRAPING.read_text())
        config["global"] |= {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}
        config["rule_files"] = [str(ALERTS)]
        assert [job["job_name"] for job in config["scrape_configs"]] == list(targets)
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def get(self, path: str, **parameters: str) -> Any:
        """What its API answers."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The result of an instant query, now."""
        return list(self.get("query", query=expr)["result"])

    def value(self, expr: str) -> float:
        """The only number that a query gives; 0 if it gives none."""
        found = self.query(expr)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else 0.0

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        until(self._answers, every=0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(30)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False
