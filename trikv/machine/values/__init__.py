"""trikv.machine.values: what a key holds besides strings.

A string is a `bytes`. Any other value is an object of a class here, a `Value`: a header that refers to
*parts* of a few hundred elements. No step of work depends on how many parts there are, except the copy of the
header, which is a copy of references (33 us for a million elements). Everything that concerns all types
(cuts, digests, documents, freeing) goes over parts and is written once, in ``value``.
"""
