"""What an orchestrator sets for a service of our name is no setting; what a person misspells is an error."""

import pytest

from trikv.config import ConfigError, resolve, settings
from trikv.orchestrator_variables import (
    is_orchestrator_variable,
    orchestrator_variables,
    without_orchestrator_variables,
)
from trikv.remarks import remarks

KUBERNETES = {
    "TRIKV_SERVICE_HOST": "10.0.0.1",
    "TRIKV_SERVICE_PORT": "8080",
    "TRIKV_SERVICE_PORT_RESP": "8080",
    "TRIKV_PORT": "tcp://10.0.0.1:8080",
    "TRIKV_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "TRIKV_PORT_8080_TCP_PROTO": "tcp",
    "TRIKV_PORT_8080_TCP_PORT": "8080",
    "TRIKV_PORT_8080_TCP_ADDR": "10.0.0.1",
    "TRIKV_PORT_53_UDP": "udp://10.0.0.1:53",
    "TRIKV_PORT_9_SCTP": "sctp://[fd00::1]:9",
    "TRIKV_NODE_SERVICE_HOST": "fd00::1",
    "TRIKV_NODE_PORT": "tcp://[fd00::1]:8080",
    "TRIKV_NODE_PORT_18080_TCP_ADDR": "fd00::1",
    # Services whose names make the names of settings.
    "TRIKV_PEER_PORT": "tcp://10.0.0.2:18080",
    "TRIKV_DATA_SERVICE_HOST": "10.0.0.3",
}
DOCKER = {
    "TRIKV_NAME": "/web/trikv",
    "TRIKV_1_NAME": "/web_app.1/trikv-1",
    "TRIKV_PORT": "tcp://172.17.0.5:8080",
    "TRIKV_PORT_8080_TCP": "tcp://172.17.0.5:8080",
    "TRIKV_PORT_8080_TCP_START": "tcp://172.17.0.5:8080",
    "TRIKV_PORT_8080_TCP_END": "tcp://172.17.0.5:8090",
    "TRIKV_PORT_8080_TCP_PORT_START": "8080",
    "TRIKV_PORT_8080_TCP_PORT_END": "8090",
    "TRIKV_ENV_PATH": "/usr/bin:/bin",
    "TRIKV_ENV_TRIKV_PORT": "8080",
}


@pytest.mark.parametrize("variables", [KUBERNETES, DOCKER], ids=["kubernetes", "docker"])
def test_they_change_nothing(variables: dict[str, str]) -> None:
    """A start goes as if they were not there, and the log names them once."""
    mine = {"TRIKV_MAXCLIENTS": "7", "HOME": "/x"}
    config = resolve(environment=mine | variables)
    assert config == resolve(environment=mine)
    assert config.port == 8080
    assert without_orchestrator_variables(mine | variables) == mine
    (said,) = remarks({}, mine | variables, config)
    assert said.text.endswith(", ".join(sorted(variables)))
    assert not said.is_warning
    assert remarks({}, mine, config) == []


def test_a_persons_port_is_heard_beside_them() -> None:
    """The shape of the value decides, where the name is that of a setting."""
    assert resolve(environment=KUBERNETES | {"TRIKV_PORT": "9000"}).port == 9000
    with pytest.raises(ConfigError, match=r"TRIKV_PORT: 'tcp:/10\.0\.0\.1' is not a whole number"):
        resolve(environment={"TRIKV_PORT": "tcp:/10.0.0.1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRIKV_PROT", "8080"),
        ("TRIKV_PROT", "tcp://10.0.0.1:8080"),
        ("TRIKV_PEERPORT", "18080"),
        ("TRIKV_NODE_PORT", "8080"),
        ("TRIKV_NAME", "node1"),
        ("TRIKV_SERVICE", "x"),
        ("TRIKV_SERVICE_HOST", ""),
        ("TRIKV_SERVICE_PORT", "http"),
        ("TRIKV_PORT_8080", "8080"),
        ("TRIKV_PORT_8080_TCP", "8080"),
        ("TRIKV_PORT_8080_TCP_ADR", "10.0.0.1"),
        ("TRIKV_MAXMEMROY", "1gb"),
    ],
)
def test_a_misspelt_setting_is_still_refused(name: str, value: str) -> None:
    """A server that ignores a setting runs without it until the day it matters."""
    with pytest.raises(ConfigError, match=rf"{name} is no setting"):
        resolve(environment={name: value})


def test_no_setting_is_ever_taken_for_one() -> None:
    """Whatever values people give: an address is no URL."""
    for setting in settings():
        for value in ("", "1", "x", "127.0.0.1", "1=h:1", "/a/b", setting.default_text):
            assert not is_orchestrator_variable(setting.variable, value)
    assert orchestrator_variables({"HOME": "/x", "XTRIKV_PORT": "tcp://1.2.3.4:5"}) == []
