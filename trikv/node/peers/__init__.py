"""Peers: the other nodes as seen from here.

`links` keeps a connection to each (`outgoing`), of whom some may come and others go, takes those that they
dial (`incoming`), and gives their messages to the driver. `leader_calls` are questions to the leader and
their answers. `founding` decides, from what blank disks say of themselves, when there is a cluster. `levels`
knows which rules each release knows. `password_guard` keeps a node without its cluster's password from
serving anybody.
"""
