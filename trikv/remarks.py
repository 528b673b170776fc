"""What the log says about the way in which settings were given: what is ignored, what is risky."""

import ipaddress
from collections.abc import Mapping, Sequence

import attrs

from trikv import passwords
from trikv.config import NodeConfig, as_flag
from trikv.orchestrator_variables import orchestrator_variables


@attrs.frozen
class Remark:
    """A line for the log about the way in which settings were given. It never stops a start."""

    text: str
    is_warning: bool = True


def remarks(flags: Mapping[str, str], environment: Mapping[str, str], config: NodeConfig) -> list[Remark]:
    """Remarks on the way in which `config` was given; `flags` and `environment` are those of `resolve`."""
    said = []
    if ignored := orchestrator_variables(environment):
        text = f"variables of an orchestrator are no settings, and are ignored: {', '.join(ignored)}"
        said.append(Remark(text, is_warning=False))
    if "requirepass" in flags:
        better = f"use {as_flag('requirepass_file')}, or {passwords.VARIABLE}"
        said.append(Remark(f"{passwords.ON_THE_COMMAND_LINE}; {better}"))
    if not (config.requirepass or _is_loopback(config.listen)):
        hosts = " ".join(config.listen)
        said.append(Remark(f"clients need no password, and {hosts} is not loopback: set requirepass"))
    if config.requirepass_file and (warning := passwords.warning_of(config.requirepass_file)):
        said.append(Remark(warning))
    return said


def _is_loopback(hosts: Sequence[str]) -> bool:
    """Whether only this machine can connect to `hosts`, as far as their text tells. No name is looked up."""
    for host in hosts:
        try:
            if not ipaddress.ip_address(host).is_loopback:
                return False
        except ValueError:
            if host != "localhost":
                return False
    return True
