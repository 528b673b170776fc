"""INFO: records in, text out.

Names, order and meaning are Redis'. A field that means nothing in trikv shows what an idle Redis shows, if
that is true here (nothing is ever evicted, no script is cached); a field that would be untrue is left out.
``tests/node/test_info.py`` has the list of what monitoring tools read, with a reason for each that is absent.

`sections` names the sections and the records that each is made of. `of_process` has the sections that every
node shows, `of_member` those of a node whose log is open. A section is a function from the records of
`trikv.front.figures` to its fields, in order: a new field is one line in one of them. `text` formats them.
"""
