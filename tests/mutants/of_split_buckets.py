"""Mistakes in buckets of many keys: their shape, what shares their leaves, the scan over them."""

from tests.mutants.mutant import Mutant, mutant

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "the shape of a split bucket is lost at a restore",
        "trikv.machine.snapshot",
        "            self._space.databases[line.db].restore_split(line.bucket, line.split)\n",
        "            pass\n",
        "machine/test_split.py::test_a_shape_without_its_keys_is_kept_by_a_restore",
    ),
    mutant(
        "the secret of split buckets is lost at a restore",
        "trikv.machine.snapshot",
        "account.set_level(opening.machine.feature_level, opening.machine.bucket_seed)",
        "account.set_level(opening.machine.feature_level, 0)",
        "machine/test_split.py::test_replicas_that_restore_and_replicas_that_replay_agree",
    ),
    mutant(
        "a bucket is split by a hash of this process",
        "trikv.machine.split",
        'int.from_bytes(blake2b(key, digest_size=4, key=secret).digest(), "big") >> 32 - HASH_BITS\n',
        "hash(secret + key) % (1 << HASH_BITS)\n",
        "machine/test_split.py::test_the_places_of_keys_are_the_same_everywhere",
    ),
    mutant(
        "a bucket is split by a hash that has no secret",
        "trikv.machine.split",
        "blake2b(key, digest_size=4, key=secret)",
        "blake2b(key, digest_size=4)",
        "machine/test_split.py::test_the_shape_follows_from_the_seed_of_the_first_entry",
    ),
    mutant(
        "a bucket is split in a cluster of before",
        "trikv.machine.database",
        "        if isinstance(bucket, dict) and self.account.feature_level >= SPLIT_BUCKETS:\n",
        "        if isinstance(bucket, dict):\n",
        "machine/test_split.py::test_a_cluster_of_before_keeps_plain_buckets",
    ),
    mutant(
        "a write changes a leaf that a cut holds",
        "trikv.machine.split",
        "        self._own.clear()\n        return twin\n",
        "        return twin\n",
        "machine/test_split.py::test_it_is_a_dict_in_parts",
    ),
    mutant(
        "a copy changes a leaf that the bucket holds",
        "trikv.machine.split",
        "        twin._own.clear()\n",
        "",
        "machine/test_split.py::test_it_is_a_dict_in_parts",
    ),
    mutant(
        "a leaf is copied for a cut after the write",
        "trikv.machine.split",
        "        self._writable(number)[key] = one\n\n    def __delitem__",
        "        self.leaves.get(number, {})[key] = one\n"
        "        self._writable(number)[key] = one\n\n    def __delitem__",
        "machine/test_split.py::test_it_is_a_dict_in_parts",
    ),
    mutant(
        "a split bucket is copied whole for a cut",
        "trikv.machine.split",
        "        twin = Split(self._secret, self.leaves.copy())\n",
        "        twin = Split(self._secret, {number: leaf.copy() for number, leaf in self.leaves.items()})\n",
        "machine/test_split.py::test_a_copy_shares_the_leaves",
    ),
    mutant(
        "a new key goes to the last generation with a leaf for it",
        "trikv.machine.split",
        "            if leaf is None or len(leaf) < LEAF_KEYS_MAX:\n                break\n",
        "            if leaf is None:\n                break\n",
        "machine/test_split.py::test_it_is_a_dict_in_parts",
    ),
    mutant(
        "a key behind a leaf that is gone is not found",
        "trikv.machine.split",
        "        for first, shift in _LATER:\n            number = first + (hashed >> shift)\n"
        "            leaf = leaves.get(number)\n            if leaf is not None and key in leaf:\n",
        "        for first, shift in _LATER:\n            number = first + (hashed >> shift)\n"
        "            leaf = leaves.get(number)\n            if leaf is None:\n                return None\n"
        "            if key in leaf:\n",
        "machine/test_split.py::test_a_key_is_found_behind_a_leaf_that_is_gone",
    ),
    mutant(
        "a run of SETs puts more into a dict than it may hold",
        "trikv.machine.database",
        "            LEAF_KEYS_MAX,\n        )\n",
        "            2**62,\n        )\n",
        "machine/test_split.py::test_a_bucket_is_divided_at_its_limit_by_runs_and_by_single_commands",
    ),
    mutant(
        "the digest does not see in which leaf a key is",
        "trikv.machine.digest",
        '        whole.update(b"%d " % number)\n        whole.update(bucket.hashes[number])\n',
        "        whole.update(bucket.hashes[number])\n",
        "machine/test_split.py::test_the_digest_covers_the_shape",
    ),
    mutant(
        "the digest keeps the hash of a leaf that has changed",
        "trikv.machine.split",
        "        self.hashes.pop(number, None)\n        leaf =",
        "        leaf =",
        "machine/test_split.py::test_no_step_goes_over_all_keys_of_one_crc32",
    ),
    mutant(
        "a digest hashes all leaves in one slice",
        "trikv.machine.digest",
        "        if parts >= parts_max:\n            return None, parts\n        made",
        "        made",
        "machine/test_split.py::test_no_step_goes_over_all_keys_of_one_crc32",
    ),
    mutant(
        "a page of SCAN repeats a bucket where a leaf ends",
        "trikv.machine.scanning",
        "                return place << CRC_BITS | start, found\n",
        "                return start, found\n",
        "machine/test_split.py::test_no_step_goes_over_all_keys_of_one_crc32",
    ),
    mutant(
        "a page of SCAN begins a leaf at the crc32 of the one before",
        "trikv.machine.scanning",
        "            least = position if number == first and place == from_leaf else start\n",
        "            least = position if number == first else start\n",
        "machine/test_split.py::test_a_scan_returns_what_stays_whatever_is_divided_or_merged",
    ),
    mutant(
        "a page of SCAN begins a dict anew that was split",
        "trikv.machine.scanning",
        "        return iter([] if first else [(0, bucket)])\n",
        "        return iter([(0, bucket)])\n",
        "machine/test_split.py::test_a_scan_goes_on_where_its_leaf_is_gone",
    ),
    mutant(
        "a page of SCAN holds all keys of a bucket",
        "trikv.machine.scanning",
        "            if least == start and len(found) + len(leaf) <= count:\n",
        "            if least == start and (place or len(found) + len(leaf) <= count):\n",
        "machine/test_split.py::test_no_step_goes_over_all_keys_of_one_crc32",
    ),
    mutant(
        "FLUSH frees all keys of a split bucket at once",
        "trikv.machine.discarded",
        "        if not isinstance(bucket, dict):\n",
        "        if not bucket:\n",
        "machine/test_split.py::test_no_step_goes_over_all_keys_of_one_crc32",
    ),
    mutant(
        "a slice of the digest counts a long bucket for one",
        "trikv.machine.digest",
        "digest(), parts + len(bucket) // PART_KEYS\n",
        "digest(), parts\n",
        "machine/test_split.py::test_a_slice_of_the_digest_counts_keys",
    ),
    mutant(
        "a bucket stays split when only its first leaf is left",
        "trikv.machine.database",
        "            self.buckets[number] = rest\n",
        "            pass\n",
        "machine/test_split.py::test_a_shape_without_its_keys_is_kept_by_a_restore",
    ),
)
