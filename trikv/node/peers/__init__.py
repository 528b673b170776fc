"""Peers: the other nodes as seen from here.

`links` keeps a connection to each and gives their messages to the driver. `founding` decides, from what blank
disks say of themselves, when there is a cluster. `password_guard` keeps a node without its cluster's password
from serving anybody.
"""
