"""The Helm chart: rendered by Helm with several values, held against Kubernetes' own schemas, and of one mind with the rest."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from contracts.topics import topics
from deploy.local.programs import SERVICES

pytestmark = pytest.mark.helm
ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "makegood"
TOOLS: Final = ROOT / ".local" / "chart" / "bin"
"""Where `make chart` puts Helm, and what checks its output."""
OLDEST, NEWEST = "1.29", "1.37"
GIVEN: Final = {
    "kafka.bootstrap": "kafka:9093",
    "tokens.issuer": "https://id.example",
    "tokens.jwksUrl": "https://id.example/keys",
    "workbench.url": "https://care.example",
    "workbench.oidcUrl": "https://id.example",
}
EVERYTHING: Final = {
    "autoscaling.enabled": "true",
    "autoscaling.authentication": "kafka",
    "topics.by": "strimzi",
    "topics.strimziCluster": "main",
    "telemetry.endpoint": "http://collector:4318",
    "settings.MAKEGOOD_LOG_LEVEL": "WARNING",
    "kafka.securityProtocol": "SSL",
}
PLAIN: Final = {"kafka.securityProtocol": "PLAINTEXT", "networkPolicy.enabled": "false"}
CASES: Final = {"as-it-comes": {}, "everything": EVERYTHING, "plain": PLAIN}
Resource = dict[str, Any]


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "helm", *words], capture_output=True, text=True, check=False, timeout=60)


def options(values: dict[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


def rendered(values: dict[str, str]) -> str:
    done = helm("template", "mg", str(CHART), "--kube-version", NEWEST, *options(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def resources(values: dict[str, str]) -> list[Resource]:
    return [each for each in YAML(typ="safe").load_all(rendered(GIVEN | values)) if each is not None]


def of(found: list[Resource], kind: str) -> dict[str, Resource]:
    """The resources of a kind, by name without the release's."""
    return {each["metadata"]["name"].removeprefix("mg-"): each for each in found if each["kind"] == kind}


def pods(found: list[Resource]) -> dict[str, Resource]:
    return {name: each["spec"]["template"]["spec"] for kind in ("Deployment", "Job") for name, each in of(found, kind).items()}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_helm_finds_nothing_wrong(values: dict[str, str]) -> None:
    done = helm("lint", "--strict", str(CHART), *options(GIVEN | values))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_what_is_rendered_is_what_kubernetes_takes(values: dict[str, str], version: str, tmp_path: Path) -> None:
    """What others define (KEDA, Strimzi) is not in Kubernetes' schemas, and looked at below."""
    ours = [each for each in resources(values) if each["kind"] not in {"ScaledObject", "KafkaTopic"}]
    file = tmp_path / "rendered.yaml"
    with file.open("w") as to:
        YAML(typ="safe").dump_all(ours, to)
    done = subprocess.run(
        [TOOLS / "kubernetes-validate", "-k", version, "--strict", file], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("passed", done.stdout + done.stderr)) == len(ours)


def test_each_role_of_each_service_is_a_deployment_and_each_service_migrates_first() -> None:
    found = resources({})
    roles = {f"{each.name}-{role}" for each in SERVICES for role in each.roles_on("live")}
    assert set(of(found, "Deployment")) == roles
    assert set(of(found, "Job")) == {f"{each.name}-migrate" for each in SERVICES} | {"topics"}
    assert set(of(found, "Service")) == {each for each in roles if each.endswith("-api")}
    assert set(of(found, "NetworkPolicy")) == roles
    assert all(each["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade" for each in of(found, "Job").values())
    assert [each["args"] for each in pods(found)["promises-consume"]["containers"]] == [["services.promises", "consume"]]
    assert [each["args"] for each in pods(found)["topics"]["containers"]] == [["deploy.topics", "kafka:9093", "live", "3"]]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_pod_is_nobody_s_and_can_write_nowhere(values: dict[str, str]) -> None:
    for pod in pods(resources(values)).values():
        assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
        for each in pod["containers"]:
            inside = each["securityContext"]
            assert (inside["readOnlyRootFilesystem"], inside["allowPrivilegeEscalation"]) == (True, False)
            assert inside["capabilities"] == {"drop": ["ALL"]}
            assert each["resources"]["limits"]["memory"] == "512Mi"


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_no_secret_stands_in_it_and_every_setting_is_one_of_ours(values: dict[str, str]) -> None:
    """A name that no process reads would be a setting that does nothing."""
    known = set(re.findall(r"`(MAKEGOOD_\w+)`", (ROOT / "docs" / "reference" / "settings.md").read_text()))
    for name, pod in pods(resources(values)).items():
        for each in (variable for container in pod["containers"] for variable in container.get("env", ())):
            assert each["name"] in known | {"OTEL_EXPORTER_OTLP_ENDPOINT"}, f"{name}: {each['name']}"
            assert ("valueFrom" in each) == any(word in each["name"] for word in ("DATABASE", "SECRET")), f"{name}: {each['name']}"


def test_only_who_migrates_knows_the_owner_s_password() -> None:
    for name, pod in pods(resources({})).items():
        keys = [each["valueFrom"]["secretKeyRef"]["key"] for each in pod["containers"][0]["env"] if each["name"] == "MAKEGOOD_DATABASE"]
        assert keys == ([] if name == "topics" else ["owner-database" if name.endswith("-migrate") else "database"])


def test_brokers_that_ask_who_we_are_are_told_by_files_of_a_secret_each_service_its_own() -> None:
    for name, pod in pods(resources({})).items():
        files = [each["value"] for each in pod["containers"][0]["env"] if re.fullmatch(r"MAKEGOOD_KAFKA_\w+_FILE", each["name"])]
        assert all(each.startswith("/kafka/") for each in files)
        service = name.partition("-")[0]
        wanted = None if service == "workbench" else "makegood-kafka-admin" if name == "topics" else f"makegood-kafka-{service}"
        assert [each["secret"]["secretName"] for each in pod.get("volumes", ())] == ([wanted] if wanted else [])


def test_consumers_are_scaled_by_their_lag_and_never_beyond_their_partitions() -> None:
    found = resources(EVERYTHING)
    partitions = {each.name: each.partitions for each in topics()}
    read = {"journey": "makegood.touchpoints", "promises": "makegood.journey", "recovery": "makegood.promises"}
    scaled = of(found, "ScaledObject")
    assert set(scaled) == {f"{each}-consume" for each in read}
    for service, topic in read.items():
        spec = scaled[f"{service}-consume"]["spec"]
        (trigger,) = spec["triggers"]
        assert spec["maxReplicaCount"] == partitions[topic]
        assert (trigger["type"], trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"]) == ("kafka", service, topic)
        assert spec["scaleTargetRef"]["name"] == f"mg-{service}-consume"
        assert "replicas" not in of(found, "Deployment")[f"{service}-consume"]["spec"], "two would set how many there are"


def test_strimzi_is_told_of_every_topic_as_the_contracts_have_it() -> None:
    made = of(resources(EVERYTHING), "KafkaTopic")
    assert {name: each["spec"]["partitions"] for name, each in made.items()} == {each.name: each.partitions for each in topics()}
    for each in topics():
        config = made[each.name]["spec"]["config"]
        assert config["message.timestamp.type"] == "LogAppendTime"
        assert each.retention_days is not None
        assert config["retention.ms"] == each.retention_days * 24 * 3600 * 1000


def test_only_the_workbench_and_who_is_named_reaches_the_apis() -> None:
    policies = of(resources({"networkPolicy.ingressFrom[0].namespaceSelector.matchLabels.name": "ingress"}), "NetworkPolicy")
    assert policies["promises-consume"]["spec"]["ingress"] is None
    who = [each["from"] for each in policies["recovery-api"]["spec"]["ingress"]]
    assert who[0][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "workbench-api"
    assert who[1] == [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kafka.bootstrap": ""}, "kafka.bootstrap"),
        ({"tokens.issuer": ""}, "tokens.issuer"),
        ({"kafka.securityProtocol": "TLS"}, "securityProtocol"),
        ({"proceses.journey-api.replicas": "3"}, "proceses"),
        ({"settings.LOG_LEVEL": "INFO"}, "LOG_LEVEL"),
        ({"topics.by": "strimzi"}, "strimziCluster"),
    ],
)
def test_values_that_are_missing_or_unknown_are_refused_by_name(values: dict[str, str], said: str) -> None:
    done = helm("template", "mg", str(CHART), "--kube-version", NEWEST, *options(GIVEN | values))
    assert done.returncode != 0
    assert said in done.stderr
