"""Variables that look like settings and are none: orchestrators set them for a service named ``trikv``.

Kubernetes gives each container the addresses of the services beside it, in variables named after the service;
docker's links did the same. A service named ``trikv``, or ``trikv-node``, makes ``TRIKV_SERVICE_HOST``,
``TRIKV_PORT=tcp://10.0.0.1:8080`` or ``TRIKV_NODE_PORT_8080_TCP_ADDR``. Nobody chose these, so they must not
stop a start. A misspelt setting must stop it, so the patterns here are as narrow as possible.

Sources: kubernetes.io, "Discovering services"; docs.docker.com, "Legacy container links".
"""

import re
from collections.abc import Mapping
from typing import Final

_SERVICE: Final = r"TRIKV(?:_[A-Z0-9_]+)?"
_URL: Final = re.compile(r"(?:tcp|udp|sctp)://[^\s/]+:\d+")
_SHAPES: Final = (
    (re.compile(_SERVICE + r"_SERVICE_HOST"), re.compile(r"\S+")),
    (re.compile(_SERVICE + r"_SERVICE_PORT(?:_[A-Z0-9_]+)?"), re.compile(r"\d+")),
    (re.compile(_SERVICE + r"_PORT"), _URL),
    (re.compile(_SERVICE + r"_PORT_\d+_(?:TCP|UDP|SCTP)"), _URL),
    (re.compile(_SERVICE + r"_PORT_\d+_(?:TCP|UDP|SCTP)_ADDR"), re.compile(r"\S+")),
    (re.compile(_SERVICE + r"_PORT_\d+_(?:TCP|UDP|SCTP)_PORT(?:_START|_END)?"), re.compile(r"\d+")),
    (re.compile(_SERVICE + r"_PORT_\d+_(?:TCP|UDP|SCTP)_PROTO"), re.compile(r"tcp|udp|sctp")),
    (re.compile(_SERVICE + r"_PORT(?:_\d+_(?:TCP|UDP|SCTP))?_(?:START|END)"), _URL),
    (re.compile(_SERVICE + r"_NAME"), re.compile(r"/[\w.-]+/[\w.-]+")),
    (re.compile(_SERVICE + r"_ENV_\w+"), re.compile(r".*", re.DOTALL)),
)
"""Patterns of a name and of the value that goes with it. Both must match."""


def is_orchestrator_variable(name: str, value: str) -> bool:
    """Whether an orchestrator set this, and no person."""
    return any(shape.fullmatch(name) and of.fullmatch(value) for shape, of in _SHAPES)


def without_orchestrator_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables of an orchestrator."""
    return {name: value for name, value in environment.items() if not is_orchestrator_variable(name, value)}


def orchestrator_variables(environment: Mapping[str, str]) -> list[str]:
    """The names of the variables that an orchestrator has set, sorted."""
    return sorted(name for name, value in environment.items() if is_orchestrator_variable(name, value))
