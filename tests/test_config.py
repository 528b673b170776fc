"""Settings: what wins, what is refused, and that a refusal is one line that helps."""

import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from trikv import addresses, notation
from trikv.config import ConfigError, NamedSetting, NodeConfig, resolve, settings
from trikv.machine.memory import CAP_BYTES_MAX

PEERS = "1=127.0.0.1:18080,2=127.0.0.1:18081,3=127.0.0.1:18082"


def refusal(**sources: object) -> str:
    """Resolve what must be refused; the message, checked to be one line."""
    with pytest.raises(ConfigError) as caught:
        resolve(**sources)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A configuration file."""
    path = tmp_path / "node.toml"
    path.write_text('port = 7001\nmaxmemory = "1mb"\ntimeout_s = 5\n', encoding="utf-8")
    return path


def test_flags_win_over_environment_over_file_over_defaults(toml: Path) -> None:
    """Each source overrides the ones below it and leaves the rest alone."""
    config = resolve(
        flags={"port": "7003"},
        environment={"TRIKV_PORT": "7002", "TRIKV_MAXMEMORY": "2mb", "HOME": "/root"},
        file=str(toml),
    )
    assert (config.port, config.maxmemory, config.timeout_s, config.maxclients) == (7003, 2 << 20, 5, 10_000)


def test_the_file_may_be_named_by_the_environment(toml: Path) -> None:
    """TRIKV_CONFIG stands for --config."""
    assert resolve(environment={"TRIKV_CONFIG": str(toml)}).port == 7001


def test_a_cap_is_explicit_only_from_outside_of_the_file(toml: Path) -> None:
    """The file's cap counts at bootstrap; a flag's or the environment's is sent to the log (PROTOCOL 22)."""
    assert not resolve(file=str(toml)).maxmemory_explicit
    assert not resolve(flags={"port": "1"}).maxmemory_explicit
    assert resolve(flags={"maxmemory": "1mb"}, file=str(toml)).maxmemory_explicit
    assert resolve(environment={"TRIKV_MAXMEMORY": "1mb"}).maxmemory_explicit


def test_flags_may_be_spelt_with_dashes() -> None:
    """--typed-timeout-s and typed_timeout_s are one setting."""
    assert resolve(flags={"typed-timeout-s": "7"}).typed_timeout_s == 7


def test_defaults_are_those_promised() -> None:
    """A node without any configuration: loopback, port 8080, 256 MiB, alone."""
    config = resolve()
    assert (config.address, config.maxmemory, dict(config.peers)) == ("127.0.0.1:8080", 256 << 20, {})
    assert (config.typed_timeout_s, config.timeout_s) == (300, 0)
    assert (config.election_timeout_ms_min, config.election_timeout_ms_max) == (400, 800)
    assert (config.data_directory, config.secret_file) == ("data/node1", "data/cluster.secret")


def test_what_follows_from_other_settings() -> None:
    """Directory and peer port follow the node's number and its own entry among the peers."""
    config = resolve(flags={"node_id": "2", "peers": PEERS, "port": "8081"})
    assert config.data_directory == "data/node2"
    assert config.peer_addresses == ("127.0.0.1:18081",)


def test_peers_are_a_table_in_a_file(tmp_path: Path) -> None:
    """[peers] with ids as keys, and the flag's spelling, mean the same."""
    path = tmp_path / "node.toml"
    path.write_text(
        'node_id = 3\n[peers]\n3 = "127.0.0.1:18082"\n1 = "127.0.0.1:18080"\n2 = "127.0.0.1:18081"\n',
        encoding="utf-8",
    )
    assert resolve(file=str(path)).peers == notation.parse_peers(PEERS)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"flags": {"prot": "1"}}, "--prot is no setting; did you mean --port?"),
        ({"environment": {"TRIKV_PROT": "1"}}, "TRIKV_PROT is no setting; did you mean TRIKV_PORT?"),
        ({"environment": {"TRIKV_MAX_VOLUME": "1"}}, "did you mean TRIKV_MAXMEMORY?"),
        ({"flags": {"max-volume": "1"}}, "--max-volume is no setting; did you mean --maxmemory?"),
        ({"flags": {"zzzzzz": "1"}}, "--zzzzzz is no setting; 'trikv serve --help' lists the settings"),
        ({"flags": {"port": "x"}}, "--port: 'x' is not a whole number"),
        ({"flags": {"port": "65536"}}, "--port: 65536 is not between 0 and 65535"),
        ({"environment": {"TRIKV_TIMEOUT_S": "-1"}}, "TRIKV_TIMEOUT_S: -1 is not between 0"),
        ({"flags": {"maxmemory": "12q"}}, "--maxmemory: '12q' is not a size"),
        ({"flags": {"port": "080"}}, "--port: '080' begins with a zero; write 80"),
        ({"flags": {"port": "9" * 5000}}, "a number of 5000 digits is too large"),
        ({"flags": {"maxmemory": "08mb"}}, "--maxmemory: '08' begins with a zero; write 8"),
        ({"flags": {"listen": ""}}, "--listen: names no host; write one or more, as in 127.0.0.1 ::1"),
        ({"flags": {"listen": "a b/c"}}, "--listen: 'b/c' is no host"),
        ({"flags": {"listen": "::1 [::1]"}}, "--listen: names ::1 twice"),
        ({"flags": {"listen": "127.0.0.256"}}, "--listen: '127.0.0.256' is no host"),
        ({"flags": {"listen": "a..b"}}, "--listen: 'a..b' is no host"),
        ({"flags": {"listen": " ".join(f"h{n}" for n in range(17))}}, "--listen: names 17 hosts; at most 16"),
        ({"flags": {"unix_socket": "/tmp/" + "x" * 200}}, "is longer than the 107 bytes"),
        ({"flags": {"unix_socket": "/tmp/"}}, "--unix-socket: '/tmp/' is a directory"),
        ({"flags": {"unix_socket_mode": "9"}}, "--unix-socket-mode: '9' is no mode of a file"),
        ({"flags": {"data_directory": " "}}, "--data-directory: the path is empty"),
        ({"flags": {"secret_file": "a\nb"}}, "--secret-file: 'a\\nb' holds control characters"),
        ({"flags": {"peers": "1=h:1,2=h:1"}}, "peers: nodes 1 and 2 have the same address, h:1"),
        ({"flags": {"peers": "1=0.0.0.0:1"}}, "peers: node 1 is at 0.0.0.0:1, which nobody can dial"),
        ({"flags": {"peers": "1=a b:1"}}, "--peers: 'a b:1' is no address"),
        ({"file": ""}, "--config: the path is empty"),
        ({"environment": {"TRIKV_CONFIG": ""}}, "TRIKV_CONFIG: the path is empty"),
        ({"flags": {"reads": "local"}}, "--reads: 'local' is not one of: linearizable, lease"),
        ({"flags": {"peers": "nonsense"}}, "--peers: 'nonsense' is no peer"),
        ({"flags": {"peers": "2=h:1"}}, "names nodes 2 but not node_id 1"),
        ({"flags": {"peers": "1=h:1,1=h:2"}}, "node 1 is named twice"),
        ({"flags": {"peers": "1=h:0"}}, "'0' is not a whole number between 1 and 65535"),
        ({"flags": {"peers": "0=h:1"}}, "id is not between"),
        ({"flags": {"peers": PEERS, "port": "0"}}, "port: 0 suits a single node only"),
        ({"flags": {"port": "18080", "peers": PEERS}}, "peer_port: 18080 is the client port too"),
        ({"flags": {"election_timeout_ms_min": "800"}}, "must be below election_timeout_ms_max"),
        ({"flags": {"heartbeat_interval_ms": "300"}}, "must be at most half"),
        (
            {"flags": {"entry_bytes_max": "20mb"}},
            "entry_bytes_max: 20971520 must be below peer_frame_bytes_max",
        ),
        ({"flags": {"entry_bytes_max": "20mb"}}, "must be below peer_frame_bytes_max"),
        ({"flags": {"log_tail_bytes": "65mb"}}, "log_tail_bytes: 68157440 must not be above"),
        ({"file": "/nowhere/node.toml"}, "/nowhere/node.toml: No such file or directory"),
    ],
)
def test_nonsense_is_refused_in_one_line(sources: dict[str, object], expected: str) -> None:
    """The line says what is wrong, where it came from, and what would be right."""
    assert expected in refusal(**sources)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prot = 1", "prot is no setting; did you mean port?"),
        ("node-id = 1", "node-id is no setting; did you mean node_id?"),
        ("PORT = 1", "PORT is no setting; did you mean port?"),
        ('max-volume = "1mb"', "max-volume is no setting; did you mean maxmemory?"),
        ('bind = "::1"', "bind is no setting; did you mean listen?"),
        (
            "enable_debug_command = true",
            "enable_debug_command: true is not one of: no, local, yes; write one of them in quotes",
        ),
        ("reads = 1", "reads: 1 is not one of: linearizable, lease; write one of them in quotes"),
        ("port = ", "not valid TOML"),
        ("port = true", "port: expected text or a whole number, found bool"),
        ("port = [1]", "port: expected text or a whole number, found list"),
        ("port = 1.5", "port: expected text or a whole number, found float"),
        ("[port]\na = 1", "port: expected text or a whole number, found dict"),
        ('maxmemory = "1 parsec"', "maxmemory: '1 parsec' is not a size"),
    ],
)
def test_nonsense_in_a_file_is_refused_by_name(tmp_path: Path, text: str, expected: str) -> None:
    """An error in a file names the file and the key."""
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    message = refusal(file=str(path))
    assert message.startswith(str(path))
    assert expected in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A binary file given by mistake is one line, no traceback."""
    path = tmp_path / "node.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in refusal(file=str(path))


def test_a_file_without_end_is_refused() -> None:
    """Of a device or a mistaken path no more is read than settings can have."""
    assert "/dev/zero: has more than 1mb; is it the right file?" in refusal(file="/dev/zero")


def test_a_file_of_the_greatest_length_is_read(tmp_path: Path) -> None:
    """The bound itself is allowed, one byte more is not."""
    path = tmp_path / "node.toml"
    path.write_text("port = 7\n#".ljust(1 << 20, "x"), encoding="utf-8")
    assert resolve(file=str(path)).port == 7
    path.write_text("port = 7\n#".ljust((1 << 20) + 1, "x"), encoding="utf-8")
    assert "has more than 1mb" in refusal(file=str(path))


def test_a_pipe_may_be_the_file() -> None:
    """As a shell's process substitution gives one."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"port = 7\n")
        os.close(write_end)
        assert resolve(file=f"/dev/fd/{read_end}").port == 7
    finally:
        os.close(read_end)


def test_names_of_the_scripts_are_no_settings_and_no_errors() -> None:
    """TRIKV_DATA and its like belong to the scripts around a node."""
    assert resolve(environment={"TRIKV_DATA": "x", "TRIKV_STRICT": "1", "TRIKV_REWRITE": "1"}) == resolve()


def test_a_direct_construction_is_checked_too() -> None:
    """Who embeds a node gets the same refusals, naming the setting."""
    with pytest.raises(ConfigError, match="maxclients: 0 is not between 1"):
        NodeConfig(maxclients=0)


def test_a_password_is_not_shown() -> None:
    """The configuration may be logged."""
    assert "hunter2" not in repr(resolve(flags={"requirepass": "hunter2"}))


def test_every_setting_has_a_reason_and_a_default_that_reads_back() -> None:
    """Help is derived from the fields, so each must be fit to be shown."""
    for setting in settings():
        assert setting.about.reason
        expected = {} if setting.name == "peers" else setting.default
        assert setting.about.parse(setting.default_text) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (str(2**50 + 1), "1125899906842625 is not between 0 and 1125899906842624 bytes"),
        ("1048577gb", "is not between 0 and 1125899906842624 bytes"),
        (str(2**70), "is not between 0 and 1125899906842624 bytes"),
        ("9" * 5000, "a number of 5000 digits is too large"),
        ("9" * 5000 + "gb", "a number of 5000 digits is too large"),
        ("-1", "is not a size"),
    ],
)
def test_absurd_caps_are_refused_at_the_start(tmp_path: Path, value: str, said: str) -> None:
    """As CONFIG SET refuses them, whichever way they come: flag, environment, file."""
    file = tmp_path / "absurd.toml"
    file.write_text(f'maxmemory = "{value}"\n', encoding="utf-8")
    assert said in refusal(flags={"maxmemory": value})
    assert said in refusal(environment={"TRIKV_MAXMEMORY": value})
    assert said in refusal(file=str(file))
    assert resolve(flags={"maxmemory": "1048576gb"}).maxmemory == CAP_BYTES_MAX


def test_settings_are_frozen() -> None:
    """A running node's configuration does not change under it."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        resolve().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1b", 1),
        ("1k", 1000),
        ("1KB", 1024),
        ("3m", 3_000_000),
        ("256mb", 256 << 20),
        ("2g", 2 * 10**9),
    ],
)
def test_sizes_are_read_as_redis_does(text: str, count: int) -> None:
    """With a b powers of 1024, without powers of 1000, any case."""
    assert notation.parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("127.0.0.1", ("127.0.0.1",)),
        ("::1", ("::1",)),
        ("[::1]", ("::1",)),
        ("::", ("::",)),
        ("0.0.0.0 ::", ("0.0.0.0", "::")),
        ("0.0.0.0,[::]", ("0.0.0.0", "::")),
        (" 127.0.0.1,\tlocalhost , 0:0::1 ", ("127.0.0.1", "localhost", "::1")),
        ("* ::*", ("0.0.0.0", "::")),
        ("node-1.example.org.", ("node-1.example.org.",)),
        ("fe80::1%lo", ("fe80::1%lo",)),
    ],
)
def test_listen_takes_hosts_as_redis_bind_does(text: str, hosts: tuple[str, ...], tmp_path: Path) -> None:
    """Spaces or commas between them, IPv6 with or without brackets, names; in TOML a list as well."""
    config = resolve(flags={"listen": text})
    assert config.listen == hosts
    assert config.addresses == tuple(addresses.join_address(host, 8080) for host in hosts)
    assert config.address == config.addresses[0]
    file = tmp_path / "node.toml"
    file.write_text(f"listen = {list(hosts)}", encoding="utf-8")
    assert resolve(file=str(file)).listen == hosts
    assert NodeConfig(listen=text).listen == NodeConfig(listen=hosts).listen == hosts


def test_peers_find_a_node_on_all_its_hosts() -> None:
    """The peer port is bound on the same hosts as the clients' port."""
    config = resolve(flags={"peers": PEERS, "listen": "127.0.0.1 ::1"})
    assert config.peer_addresses == ("127.0.0.1:18080", "[::1]:18080")


@pytest.mark.parametrize(
    ("text", "mode"), [("700", "0700"), ("0700", "0700"), ("0o770", "0770"), ("00770", "0770")]
)
def test_a_sockets_mode_is_octal(text: str, mode: str) -> None:
    """As people write modes; what could be read otherwise is refused."""
    assert resolve(flags={"unix_socket_mode": text}).unix_socket_mode == mode


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "unix_socket_mode = 0o700",
            "unix_socket_mode: expected text, found the number 448; write it in quotes",
        ),
        ("listen = 4", "listen: expected text, found the number 4; write it in quotes"),
        ("port = 1.5", "port: expected text or a whole number, found float"),
        ("port = nan", "port: expected text or a whole number, found float"),
        ("port = true", "port: expected text or a whole number, found bool"),
        ("port = [1]", "port: expected text or a whole number, found list"),
        ("listen = []", "listen: names no host"),
        ("port = " + "9" * 5000, "not valid TOML"),
        ("port = 0x" + "f" * 5000, "Exceeds the limit"),
        ("x = " + "[" * 5000, "not valid TOML"),
        ("port = \0", "not valid TOML"),
    ],
)
def test_a_file_of_nonsense_is_refused_in_one_line(line: str, expected: str, tmp_path: Path) -> None:
    """Whatever TOML can say."""
    file = tmp_path / "node.toml"
    file.write_text(line, encoding="utf-8")
    assert expected in refusal(file=str(file))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"port": "8080"}, "port: expected int, found str"),
        ({"port": True}, "port: expected int, found bool"),
        ({"listen": 7}, "listen: "),
        ({"listen": ""}, "listen: names no host"),
        ({"data_directory": None}, "data_directory: expected str, found NoneType"),
        ({"data_directory": ""}, "data_directory: the path is empty"),
        ({"peers": "1=h:1"}, "peers: expected Mapping, found str"),
        ({"peers": {1: "nonsense"}}, "peers: 'nonsense' is no address"),
        ({"unix_socket_mode": "x"}, "unix_socket_mode: 'x' is no mode"),
    ],
)
def test_an_embedding_program_is_refused_alike(given: dict[str, object], expected: str) -> None:
    """What is built without `resolve` is checked as well: a `ConfigError`, no other exception."""
    with pytest.raises(ConfigError) as caught:
        NodeConfig(**given)  # type: ignore[arg-type]
    assert expected in str(caught.value)


WORDS = """
0 00 080 -0 +1 1_000 0x10 1e3 nan inf lease LEASE / // /dev/null ~ relative/../path
:: [ [] [::1 ::1] [[::1]] ::: 1.2.3 127.1 256.0.0.1 a..b -a a- fe80::1% ::ffff:1.2.3.4 xn--
é.example 127.0.0.1:80 ::1,::1 1=h:1,1=h:2 1=h:1,2=h:1 1=[::]:5 =h:1 1= 1=h 65536=h:1 1=h:99999
"""
NASTY = ["", " ", "9" * 5000, "x" * 5000, "localhost " * 17, "\0", "a\0b", "a\nb", "\x7f", "\u2028"]
HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="0123456789-+.:,=[]*%/ \t\n_abefklmngxNI\0\ud800\udcff٣é", max_size=40),
    st.integers().map(str),
    st.integers(-(1 << 70), 1 << 70).map(lambda number: f"{number}mb"),
    st.floats().map(str),
    st.sampled_from(NASTY + WORDS.split()),
)
SETTINGS = [setting.name for setting in settings()]


@given(st.sampled_from(["flag", "variable"]), st.dictionaries(st.sampled_from(SETTINGS), HOSTILE, min_size=1))
@settings_of_hypothesis(deadline=None)
def test_every_setting_is_understood_or_refused_in_one_line(source: str, given: dict[str, str]) -> None:
    """Whatever text comes in: a configuration that can be built again, or one line that names a setting."""
    try:
        if source == "flag":
            config = resolve(flags=given)
        else:
            config = resolve(environment={f"TRIKV_{name.upper()}": text for name, text in given.items()})
    except ConfigError as error:
        text = str(error)
        assert not any(ord(character) < 32 or ord(character) == 127 for character in text)
        assert len(text.splitlines()) == 1
        assert len(text) < 500
        assert any(name in text.lower().replace("-", "_") for name in SETTINGS)
        return
    assert config == attrs.evolve(config)
    assert all(host == notation.parse_host(host) for host in config.listen)


@pytest.mark.parametrize("text", ["", "mb", "-1", "1.5gb", "1 mb x", "0x10", "٣", "1tb"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="is not a size"):
        notation.parse_bytes(text)


@given(st.integers(0, 1 << 60))
def test_sizes_round_trip(count: int) -> None:
    """What is written is read back the same."""
    assert notation.parse_bytes(notation.format_bytes(count)) == count


@given(
    st.dictionaries(
        st.integers(1, 65535), st.tuples(st.sampled_from(["h", "127.0.0.1", "::1"]), st.integers(1, 65535))
    )
)
def test_peers_round_trip(peers: dict[int, tuple[str, int]]) -> None:
    """What is written is read back the same, IPv6 included."""
    expected = {node: addresses.join_address(*address) for node, address in sorted(peers.items())}
    assert notation.parse_peers(notation.format_peers(expected)) == expected


@pytest.mark.parametrize("text", ["host", ":1", "::1:80", "h:", "h:x", "h:70000", "a b:1", "[]:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A host and a port, brackets around an IPv6 host."""
    with pytest.raises(ValueError):  # noqa: PT011 - which of its sentences is not the point here
        notation.parse_address(text)


def test_a_password_file_that_nobody_has_read_is_no_password() -> None:
    """A program that makes the settings itself is told, instead of serving everybody."""
    with pytest.raises(ConfigError, match="requirepass_file: only `resolve` reads /run/password"):
        NodeConfig(requirepass_file="/run/password")
    assert NodeConfig(requirepass_file="/run/password", requirepass="it").requirepass == "it"


@pytest.mark.parametrize("setting", list(settings()), ids=lambda setting: str(setting.name))
def test_an_empty_value_means_none_or_is_refused(setting: NamedSetting) -> None:
    """It comes from a variable that was never set. Whether it stands for something the help says."""
    if "empty:" in setting.about.reason:
        assert resolve(environment={setting.variable: ""}) == resolve()
    else:
        with pytest.raises(ConfigError, match=rf"^{setting.variable}: "):
            resolve(environment={setting.variable: ""})
