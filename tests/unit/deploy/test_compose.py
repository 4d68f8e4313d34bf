"""compose.yaml and .env.example agree with each other, and with what Octavia reads."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from scripts import settings_table
from tests.support.command_lines import check_command
from tests.support.compose import PASSWORDS, ROOT, resolved, run_compose

COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """All services, those of every profile included."""
    found: dict[str, Any] = resolved("*")["services"]
    return found


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if service["image"].startswith("octavia")}


def example() -> dict[str, str]:
    """The variables of .env.example, those in comments included; the last one of a name counts."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("missing", sorted(PASSWORDS))
def test_without_passwords_nothing_starts(missing: str) -> None:
    # When a password is not set, or is empty
    for given in ({}, {missing: ""}):
        others = {name: value for name, value in PASSWORDS.items() if name != missing}
        done = run_compose("config", "--quiet", variables=others | given)

        # Then Compose refuses, and says where to set it
        assert done.returncode != 0
        assert f"required variable {missing} is missing a value: set it in .env" in done.stderr


def test_no_password_has_a_default() -> None:
    secret = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*):?[-+=]([^}]*)\}")
    assert [found for found in secret.findall(COMPOSE) if found[1]] == []
    assert {
        name: value for name, value in example().items() if re.search("PASSWORD|SECRET|KEY(_ID)?$", name) and value
    } == {}


def test_what_is_published_is_published_on_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_profiles_add_to_what_always_runs() -> None:
    base = set(resolved()["services"])
    assert base == {
        *("postgres", "rabbitmq", "migrate", "api", "scheduler"),
        *(f"worker-{queue.value}" for queue in Queue),
    }
    assert set(resolved("observability")["services"]) - base == {"prometheus", "grafana", "jaeger"}
    assert set(resolved("s3")["services"]) - base == {"s3", "s3-bucket"}


def test_octavias_containers_have_no_rights_to_lose(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, f"{name} runs as the user of the image"
        assert not service.get("privileged"), name
        assert {volume["target"] for volume in service["volumes"]} == {
            "/var/lib/octavia",
            "/var/cache/octavia/models",
        }, name


def test_every_service_is_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"memory", "pids"} <= limits.keys(), name
        assert service["logging"]["options"]["max-size"], name


def test_every_service_has_a_health_check_or_says_that_it_has_none(services: dict[str, Any]) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {"jaeger", "s3"}, "their images hold no shell to ask with"


def test_octavias_services_wait_for_the_migration(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ours(services).keys() - {"migrate", "s3-bucket"}:
        needs = services[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully", name
        assert needs["rabbitmq"]["condition"] == "service_healthy", name


def test_commands_are_those_of_octavia_and_serve_every_queue(services: dict[str, Any]) -> None:
    # Given what the containers run, and ask for their health
    commands = {
        name: service["command"] for name, service in ours(services).items() if service["command"][0] == "octavia"
    }
    checks = [service["healthcheck"].get("test", []) for service in ours(services).values()]
    for words in [*commands.values(), *(check[1:] for check in checks if check and check[0] == "CMD")]:
        check_command(words[1:])

    # Then each queue has one service of workers
    served = [words[3] for words in commands.values() if words[1] == "worker"]
    assert sorted(served) == sorted(Queue)


def test_a_stop_is_given_its_time(services: dict[str, Any]) -> None:
    # Given the grace of the settings, and what the page on operation adds
    needed = Settings.model_fields["stop_grace_seconds"].default + 20
    for name, service in ours(services).items():
        assert service["stop_grace_period"] == f"{needed:.0f}s", name


def test_variables_are_settings_and_their_values_are_valid(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the environment of the API
    environment = {name: value for name, value in services["api"]["environment"].items() if value is not None}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()

    # Then Octavia knows each name, and listens where the port leads
    assert {name for name in environment if name.startswith("OCTAVIA_")} - set(Settings.variables()) == set()
    assert settings.auth == "keys"
    assert settings.host == "0.0.0.0"
    assert [port["target"] for port in services["api"]["ports"]] == [settings.port]
    assert settings.database_url.startswith("postgresql+psycopg://octavia:first@postgres:")
    assert settings.broker_url.startswith("amqp://octavia:second@rabbitmq:")
    assert {str(settings.data_dir), str(settings.models_dir)} == {
        volume["target"] for volume in services["api"]["volumes"]
    }


def test_every_setting_can_be_set_in_env(services: dict[str, Any]) -> None:
    # Given the generated parts
    assert settings_table.compose(COMPOSE) == COMPOSE, "run `make docs`"
    assert settings_table.example(EXAMPLE) == EXAMPLE, "run `make docs`"

    # When one is set, then it reaches all of Octavia's containers; one that is not set reaches none
    found = resolved(variables={**PASSWORDS, "OCTAVIA_RETENTION_DAYS": "30"})["services"]
    for name, service in ours(found).items():
        assert service["environment"]["OCTAVIA_RETENTION_DAYS"] == "30", name
        assert service["environment"]["OCTAVIA_LOG_LEVEL"] is None, name


def test_the_example_names_each_variable_with_its_default() -> None:
    # Given the variables that compose.yaml reads, with their defaults
    read = dict(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)(?::-([^}]*)|:\?[^}]*)?\}", COMPOSE))
    passed = set(re.findall(r"^  ([A-Z][A-Z0-9_]+):$", COMPOSE, re.MULTILINE))
    # Compose itself reads this one.
    known = read.keys() | passed | {"COMPOSE_PROFILES"}

    # Then the example explains the same ones, and shows the defaults in force
    assert set(example()) == known
    defaults = {name: value for name, value in read.items() if not name.startswith("AWS_")}
    assert {name: example()[name] for name in defaults} == defaults


def test_the_example_works_with_two_passwords(tmp_path: Path) -> None:
    # Given the example with the two passwords filled in, and everything else taken out of its comments
    text = re.sub(r"^(POSTGRES|RABBITMQ)_PASSWORD=$", r"\1_PASSWORD=made-up", EXAMPLE, flags=re.MULTILINE)
    file = tmp_path / "env"
    file.write_text(re.sub(r"^# ([A-Z][A-Z0-9_]*=)", r"\1", text, flags=re.MULTILINE))

    # Then Compose can read it
    done = run_compose("--env-file", str(file), "config", "--quiet", variables={})
    assert done.returncode == 0, done.stderr


def test_rabbitmq_gets_the_projects_configuration(services: dict[str, Any]) -> None:
    mounted = {volume["source"]: volume["target"] for volume in services["rabbitmq"]["volumes"]}
    assert mounted[str(ROOT / "rabbitmq" / "rabbitmq.conf")].startswith("/etc/rabbitmq/conf.d/")
    assert mounted[str(ROOT / "rabbitmq" / "enabled_plugins")] == "/etc/rabbitmq/enabled_plugins"


def test_grafana_does_not_start_without_a_password(services: dict[str, Any]) -> None:
    # Compose cannot require a variable for one profile only; so the container does.
    assert "${GF_SECURITY_ADMIN_PASSWORD:?" in shlex.join(services["grafana"]["entrypoint"])
