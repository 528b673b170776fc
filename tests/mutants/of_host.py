"""Mistakes in what the real host asks of the kernel: flags, order, clocks, options."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

DISKS: tuple[Mutant, ...] = (
    mutant(
        "a synced write is not synced",
        "trikv.host.handoff",
        "    if what.syncs:\n        sync(what.fd)\n",
        "",
        "host/test_kernel_disk.py::test_a_synced_write_is_all_written_and_then_synced",
    ),
    Mutant(
        "a synced write is synced before it is written",
        (
            Edit("trikv.host.handoff", "    if what.syncs:\n        sync(what.fd)\n", ""),
            Edit(
                "trikv.host.handoff",
                "    rest = memoryview(what.data)\n",
                "    if what.syncs:\n        sync(what.fd)\n    rest = memoryview(what.data)\n",
            ),
        ),
        ByTest("host/test_kernel_disk.py::test_a_synced_write_is_all_written_and_then_synced"),
    ),
    mutant(
        "a write that needs no sync is synced",
        "trikv.host.disk",
        "offset, data, syncs=False)",
        "offset, data, syncs=True)",
        "host/test_kernel_disk.py::test_a_sync_is_one_of_that_file_and_a_write_is_none",
    ),
    mutant(
        "a write that is to be synced is not",
        "trikv.host.disk",
        "offset, data, syncs=True)",
        "offset, data, syncs=False)",
        "host/test_kernel_disk.py::test_a_synced_write_is_all_written_and_then_synced",
    ),
    mutant(
        "the rest of a write that the kernel cut is forgotten",
        "trikv.host.handoff",
        "        rest = rest[written:]\n",
        "        rest = rest[len(rest) :]\n",
        "host/test_kernel_disk.py::test_a_synced_write_is_all_written_and_then_synced",
    ),
    mutant(
        "a write that failed has not failed",
        "trikv.host.worker",
        "        if error:\n",
        "        if False:\n",
        "host/test_worker.py::test_writes_go_between_calls",
    ),
    mutant(
        "the error of a write is that of the next one, too",
        "trikv.host.handoff",
        "        failure, self._failure = self._failure, None\n",
        "        failure = self._failure\n",
        "host/test_handoff.py::test_what_becomes_of_a_write",
    ),
    mutant(
        "a write that runs out of memory has done it",
        "trikv.host.handoff",
        "                self._failure = error\n",
        "                self._failure = error if isinstance(error, OSError) else None\n",
        "host/test_worker.py::test_whatever_becomes_of_a_write_reaches_its_owner",
    ),
    mutant(
        "what was written is kept while the thread waits",
        "trikv.host.handoff",
        "            del posted  # its bytes",
        "            # its bytes",
        "host/test_handoff.py::test_what_was_written_is_kept_no_longer",
    ),
    mutant(
        "the error of a file does not say of which",
        "trikv.host.disk",
        'f"{self._path}: {error.strerror}") from error',
        "error.strerror) from error",
        "host/test_real.py::test_failing_device",
    ),
    mutant(
        "a sync is none",
        "trikv.host.disk",
        "self._worker.run, sync, self._fd)",
        "self._worker.run, os.fstat, self._fd)",
        "host/test_kernel_disk.py::test_a_sync_is_one_of_that_file_and_a_write_is_none",
    ),
    mutant(
        "a new file may be an old one",
        "trikv.host.disk",
        "os.O_RDWR | os.O_CREAT | os.O_EXCL)",
        "os.O_RDWR | os.O_CREAT)",
        "host/test_kernel_disk.py::test_a_new_file_is_new_and_the_owners_alone",
    ),
    mutant(
        "a new file may be read by all",
        "trikv.host.disk",
        "FILE_MODE = 0o600",
        "FILE_MODE = 0o644",
        "host/test_kernel_disk.py::test_a_new_file_is_new_and_the_owners_alone",
    ),
    mutant(
        "a new directory may be read by all",
        "trikv.host.disk",
        "DIRECTORY_MODE = 0o700",
        "DIRECTORY_MODE = 0o755",
        "host/test_kernel_disk.py::test_a_new_directory_is_the_owners_and_its_name_is_durable",
    ),
    mutant(
        "a directory's sync is none",
        "trikv.host.disk",
        "        os.fsync(self.hold(path))\n",
        "        os.fstat(self.hold(path))\n",
        "host/test_kernel_disk.py::test_a_directory_is_synced_itself",
    ),
    mutant(
        "the directory above is synced",
        "trikv.host.disk",
        "(self._directories.sync, self._at(path))",
        "(self._directories.sync, self._at(path).parent)",
        "host/test_kernel_disk.py::test_a_directory_is_synced_itself",
    ),
    mutant(
        "the name of a new directory is not synced",
        "trikv.host.disk",
        "        _sync_parent(path)\n",
        "",
        "host/test_kernel_disk.py::test_a_new_directory_is_the_owners_and_its_name_is_durable",
    ),
    mutant(
        "the data directory's own name is not synced",
        "trikv.host.disk",
        "        _sync_parent(self._root)  # even",
        "        # even",
        "host/test_kernel_disk.py::test_the_data_directory_itself_is_durable",
    ),
    mutant(
        "two processes share a data directory",
        "trikv.host.disk",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "host/test_kernel_disk.py::test_the_data_directory_is_locked_against_everybody",
    ),
    mutant(
        "a file gets its name before it is synced",
        "trikv.storage.aside",
        "            await self._file.sync()\n            self._file.close()\n            await",
        "            self._file.close()\n            await",
        "host/test_kernel_disk.py::test_a_published_file_is_synced_renamed_and_its_name_synced",
    ),
    mutant(
        "a published file's name is not synced",
        "trikv.storage.aside",
        "            self._ended = True\n            await self._disk.sync_directory(self._directory)\n",
        "            self._ended = True\n",
        "host/test_kernel_disk.py::test_a_published_file_is_synced_renamed_and_its_name_synced",
    ),
    mutant(
        "a thread that is closed in a call keeps its handoff",
        "trikv.host.worker",
        "            self._handoff.post_end()\n",
        "            if not self._busy:\n                self._handoff.post_end()\n",
        "host/test_worker.py::test_closed_in_the_middle_of_a_call_it_leaves_no_descriptor",
    ),
    mutant(
        "a directory's name that could not be synced is a shortage",
        "trikv.host.disk",
        'raise OSError(errno.EIO, f"the name',
        'raise OSError(error.errno, f"the name',
        "host/test_disk.py::test_a_name_that_could_not_be_synced_is_the_disks_failure",
    ),
)


CLOCKS: tuple[Mutant, ...] = (
    mutant(
        "boot time leaves out a suspended machine",
        "trikv.host.clock",
        'getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)',
        "time.CLOCK_MONOTONIC",
        "host/test_kernel_sockets.py::test_boot_time_counts_a_suspended_machine",
    ),
    mutant(
        "the time of day is another clock's",
        "trikv.host.clock",
        "time.time_ns()",
        "time.monotonic_ns()",
        "host/test_kernel_sockets.py::test_the_time_of_day_is_the_time_of_day",
    ),
    mutant(
        "random bytes can be foretold",
        "trikv.host.clock",
        "        return secrets.token_bytes(count)\n",
        '        return __import__("random").randbytes(count)\n',
        "host/test_kernel_sockets.py::test_randomness_is_the_kernels",
    ),
)


SOCKETS: tuple[Mutant, ...] = (
    mutant(
        "an IPv6 address takes IPv4 clients, too",
        "trikv.host.sockets",
        "            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n",
        "            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)\n",
        "host/test_kernel_sockets.py::test_ipv6_addresses_are_ipv6_alone[hub]",
    ),
    mutant(
        "an address is taken for a minute after a restart",
        "trikv.host.sockets",
        "        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n",
        "",
        "host/test_kernel_sockets.py::test_the_clients_listener[hub]",
    ),
    mutant(
        "a client's short replies wait for more",
        "trikv.host.sockets",
        "        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n",
        "",
        "host/test_kernel_sockets.py::test_an_accepted_client[hub]",
    ),
    mutant(
        "a client that vanished is never noticed",
        "trikv.host.sockets",
        "        _keep_alive(listener, CLIENT_KEEPALIVE_S)\n",
        "",
        "host/test_kernel_sockets.py::test_an_accepted_client[hub]",
    ),
    mutant(
        "accepting may wait",
        "trikv.host.sockets",
        "        listener.setblocking(False)\n        listener.bind(sockaddr)",
        "        listener.bind(sockaddr)",
        "host/test_kernel_sockets.py::test_the_clients_listener[hub]",
    ),
    mutant(
        "a client's socket may block the loop",
        "trikv.host.hub",
        "            sock.setblocking(False)\n",
        "",
        "host/test_kernel_sockets.py::test_an_accepted_client[hub]",
    ),
    mutant(
        "a peer's short messages wait for more",
        "trikv.host.sockets",
        "    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
        "    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n"
        '    if hasattr(socket, "TCP_KEEPIDLE"):\n'
        "        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PEER",
        "    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n"
        '    if hasattr(socket, "TCP_KEEPIDLE"):\n'
        "        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PEER",
        "host/test_kernel_sockets.py::test_both_ends_of_a_link_to_a_peer",
    ),
    mutant(
        "a peer that is gone is noticed after a quarter of an hour",
        "trikv.host.sockets",
        "socket.TCP_USER_TIMEOUT, PEER_TIMEOUT_S * 1000)",
        "socket.TCP_USER_TIMEOUT, 0)",
        "host/test_kernel_sockets.py::test_both_ends_of_a_link_to_a_peer",
    ),
)

STREAMS: tuple[Mutant, ...] = (
    mutant(
        "a closed connection that has gone keeps its place among those who linger",
        "trikv.host.stream_server",
        "                lingering.leave(wire)\n",
        "                pass\n",
        "host/test_stream_server.py::test_who_has_gone_holds_no_place_among_those_who_linger",
    ),
    mutant(
        "each server of a host bounds its closed connections by itself",
        "trikv.host.hub",
        "lingering if lingering is not None else Lingering()",
        "Lingering(lingering.most) if lingering is not None else Lingering()",
        "host/test_hub.py::test_hubs_of_one_host_have_one_limit",
    ),
    mutant(
        "who has bytes left is ended before who lacks nothing",
        "trikv.host.endings",
        "self._drained or self._flushing",
        "self._flushing or self._drained",
        "host/test_endings.py::test_who_lacks_nothing_ends_before_those_who_do",
    ),
    mutant(
        "a stream stays open if it never got its wire",
        "trikv.host.stream_server",
        "        try:\n            wire = StreamWire(accepted.remote, accepted.local, lingering, traffic)\n",
        "        wire = StreamWire(accepted.remote, accepted.local, lingering, traffic)\n        try:\n",
        "host/test_stream_server.py::test_a_stream_is_closed_even_if_it_never_got_its_wire",
    ),
    mutant(
        "a reader that is paused again at once goes on",
        "trikv.host.stream_server",
        "                while self._paused:\n                    await self._may_read.wait()\n",
        "                if self._paused:\n                    await self._may_read.wait()\n",
        "host/test_stream_server.py::test_a_reader_that_is_paused_again_at_once_holds_what_it_has",
    ),
)

MUTANTS = DISKS + CLOCKS + SOCKETS + STREAMS
