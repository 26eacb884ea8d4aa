"""Who reads the files of `infra/` understands them: compose, Kubernetes, systemd, Prefect, our own programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import kubernetes_validate
import pytest
import yaml
from prefect.cli._app import _app as prefect_cli
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names as names_of
from prefect_redis.client import RedisMessagingSettings

from infra.sandbox.composed.file import COMPOSE
from infra.sandbox.environment import part_environment
from infra.sandbox.options import SandboxOptions
from onc_mirror.cli.main import cli
from onc_mirror.settings import PREFIX
from onc_mirror.settings.complaints import unknown_variables
from onc_mirror.settings.loading import variables
from tests.support.infra_files import (
    CONTAINERFILE,
    ENTRYPOINT,
    INFRA,
    MANIFESTS,
    ROOT,
    UNITS,
    Process,
    helm_environment,
    processes,
)

SCRIPTS = Path(sys.executable).parent
PROCESSES = processes()
HARDENED = 2.0


def said(*command: str) -> str:
    """What a program that finds nothing wrong says on stderr."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_the_compose_files_follow_the_schema_of_compose() -> None:
    store = COMPOSE.with_name("store.yaml")

    said(str(SCRIPTS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE), str(store))


def test_every_secret_and_network_of_the_compose_file_is_declared_and_every_variable_is_in_the_example() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    used = {one for service in content["services"].values() for one in service.get("secrets", ())}
    mounted = set(re.findall(r"/run/secrets/([\w-]+)", text + COMPOSE.with_name("nginx.conf").read_text("utf-8")))
    example = COMPOSE.with_name("example.env").read_text(encoding="utf-8")

    assert used == set(content["secrets"])
    assert mounted <= used
    assert {name for service in content["services"].values() for name in service["networks"]} == set(
        content["networks"]
    )
    assert set(re.findall(r"\$\{(\w+)", text)) == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_two_processes_never_make_the_database_ready_at_once() -> None:
    """Each server but the one that registers blocks waits, directly or not, until that one is healthy."""
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    servers = {
        name: service["environment"]
        for name, service in services.items()
        if service.get("command", [])[:2] == ["prefect", "server"]
    }

    registering = [name for name, env in servers.items() if env["PREFECT_API_BLOCKS_REGISTER_ON_START"] == "true"]

    assert sorted(servers) == ["api", "api-replica", "database", "services"]
    assert {env["PREFECT_API_DATABASE_MIGRATE_ON_START"] for env in servers.values()} == {"false"}
    assert registering == ["api"]
    assert services["api"]["depends_on"]["database"] == {"condition": "service_completed_successfully"}
    for name in ("api-replica", "services"):
        assert services[name]["depends_on"] == {"api": {"condition": "service_healthy"}}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_each_manifest_follows_the_schema_of_kubernetes(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))

    assert documents
    for document in documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_names_every_manifest_and_all_pin_the_same_image() -> None:
    kustomization = yaml.safe_load((INFRA / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    (image,) = kustomization["images"]
    server = yaml.safe_load((INFRA / "helm" / "server.yaml").read_text(encoding="utf-8"))["global"]["prefect"][
        "image"
    ]
    worker = yaml.safe_load((INFRA / "helm" / "worker.yaml").read_text(encoding="utf-8"))["worker"]["image"]

    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]
    # The charts put a colon between the two.
    assert server == worker
    assert f"{server['repository']}:{server['prefectTag']}" == f"{image['newName']}@{image['digest']}"


def test_the_linter_of_container_files_finds_nothing() -> None:
    said(str(SCRIPTS / "hadolint"), str(CONTAINERFILE))
    text = CONTAINERFILE.read_text(encoding="utf-8")

    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}"] * 2
    assert re.findall(r"^ARG (.+)$", text, re.MULTILINE) == ["BASE"]  # no default: the operator pins one
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["1001:1001"]
    assert all("--require-hashes" in step for step in re.findall(r"pip install(?:.|\\\n)*?-r \S+", text))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_every_unit_and_each_is_hardened(tmp_path: Path) -> None:
    shutil.copytree(INFRA / "systemd", tmp_path, dirs_exist_ok=True)
    for unit in tmp_path.glob("*.service"):
        # Programs must be there; here they are those of this environment.
        text = unit.read_text(encoding="utf-8").replace("/opt/onc-mirror/.venv/bin", str(SCRIPTS))
        unit.write_text(text.replace("/opt/onc-mirror", str(ROOT)), encoding="utf-8")
    units = sorted(str(path) for pattern in ("*.service", "*.timer") for path in tmp_path.glob(pattern))

    assert said("systemd-analyze", "verify", "--man=no", *units) == ""

    assert len(UNITS) > 3
    run = tmp_path / "onc-mirror-run@mirror.service"
    run.write_bytes((tmp_path / "onc-mirror-run@.service").read_bytes())
    for name in (run.name, *(path.name for path in UNITS if "@" not in path.name)):
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / name)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert float(re.findall(r"Overall exposure level.*: ([\d.]+)", told)[0]) < HARDENED


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.where)
def test_each_program_understands_its_command(process: Process) -> None:
    program, *arguments = process.command
    if program == "prefect":
        prefect_cli.parse_args(arguments, exit_on_error=False, print_error=False)
        return
    assert program == "onc-mirror"
    name, *rest = [word for word in arguments if word != "--verbose"]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, rest)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.where)
def test_each_variable_is_one_that_somebody_reads(process: Process) -> None:
    exported = set(re.findall(r"PREFECT_\w+", ENTRYPOINT.read_text(encoding="utf-8")))
    redis = {f"PREFECT_REDIS_MESSAGING_{name.upper()}" for name in RedisMessagingSettings.model_fields}
    # The key is none of Prefect's settings; prefect/server/utilities/encryption.py reads it.
    prefect = {name.upper() for name in names_of(Settings)} | redis | {"PREFECT_SERVER_ENCRYPTION_KEY"}

    assert unknown_variables(process.environment, PREFIX, variables()) == []
    for name in process.environment:
        if name.startswith("PREFECT_"):
            secret = name.removesuffix("_FILE")
            assert secret in prefect
            assert secret == name or secret in exported


def test_every_server_has_the_settings_with_which_it_keeps_up(tmp_path: Path) -> None:
    """Those of the sandbox, with which all is tested; but in the compose file Redis keeps which events were seen."""
    sandbox = part_environment(SandboxOptions(tmp_path, archive_port=1, s3_port=2, prefect_port=3, size="tiny"))
    expected = {
        name: value
        for name, value in sandbox.items()
        if name.startswith(("PREFECT_SERVER_SERVICES_", "PREFECT_SERVER_EV"))
    }
    (composed,) = [one.environment for one in PROCESSES if one.where == "compose: services"]
    (unit,) = [one.environment for one in PROCESSES if one.where == "systemd: onc-mirror-server.service"]
    in_redis = {"PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering"}

    assert len(expected) == 7
    assert {name: composed[name] for name in expected} == expected | in_redis
    for environment in (unit, helm_environment()):
        assert {name: environment[name] for name in expected} == expected


def test_the_entry_point_hands_secrets_from_files_to_what_it_starts(tmp_path: Path) -> None:
    secret = tmp_path / "auth"
    secret.write_bytes(b"admin:c4nary pass$word\r\n")
    show = [
        "sh",
        "-c",
        'printf "%s|%s|%s" "$PREFECT_API_AUTH_STRING" "${PREFECT_API_AUTH_STRING_FILE-gone}" "$1"',
        "x",
        "a b",
    ]
    variables = {"PREFECT_API_AUTH_STRING_FILE": str(secret)}

    done = subprocess.run(
        [str(ENTRYPOINT), *show], env=os.environ | variables, capture_output=True, text=True, check=True
    )
    secret.write_text("\n", encoding="utf-8")
    empty = subprocess.run([str(ENTRYPOINT), *show], env=os.environ | variables, capture_output=True, check=False)
    secret.unlink()
    missing = subprocess.run([str(ENTRYPOINT), *show], env=os.environ | variables, capture_output=True, check=False)

    assert done.stdout == "admin:c4nary pass$word|gone|a b"
    # A server without a password lets everybody in.
    assert [(end.returncode != 0, end.stdout) for end in (empty, missing)] == [(True, b"")] * 2


def test_the_health_check_says_of_a_mirror_that_has_not_run_that_it_does_not_live(tmp_path: Path) -> None:
    (check,) = [one for one in PROCESSES if one.where == "image: HEALTHCHECK"]
    program, *arguments = check.command
    variables = os.environ | {"ONC_MIRROR_STATE_DIR": str(tmp_path)}

    command = [str(ENTRYPOINT), str(SCRIPTS / program), *arguments]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("Not alive: ")


def test_the_operators_command_on_a_vm_has_the_settings_of_the_units(tmp_path: Path) -> None:
    (tmp_path / "onc-mirror.env").write_text("ONC_MIRROR_STORE_URL='s3://b/a b'\n", encoding="utf-8")
    text = (INFRA / "systemd" / "onc-mirror.sh").read_text(encoding="utf-8")
    begin, program, end = text.partition(
        "setpriv --reuid=onc-mirror --regid=onc-mirror --init-groups /opt/onc-mirror/"
    )
    script = tmp_path / "onc-mirror.sh"
    script.write_text(
        f"{begin}env # {end}".replace("/etc/onc-mirror", str(tmp_path)).replace("/var/lib/onc-mirror", "/")
    )

    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, text=True, check=True, timeout=60)

    told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    assert program
    assert told["ONC_MIRROR_STORE_URL"] == "s3://b/a b"
    assert told["ONC_TOKEN_FILE"] == f"{tmp_path}/onc-token"
    assert told["AWS_SHARED_CREDENTIALS_FILE"] == f"{tmp_path}/s3-credentials"
