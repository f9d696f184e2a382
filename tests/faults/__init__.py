# SPDX-License-Identifier: Apache-2.0
"""Means to break one thing of a running Weir at a time, and to mend it.

    processes   kill, stop and continue a process, or all of its family
    links       cut a daemon off from Kafka, Redis, Postgres, the api, or from everybody
    clock       set one daemon's clock wrong
    disk        fill and free a folder of one daemon

The test cameras have faults of their own (`./dev camera fault`). Nothing here needs a special
kernel; only the small disks need root. Each tool is tested by test_fault_tools.py.

Links, clock and disk must be prepared before a daemon starts, since they work through its settings
(`$WEIR_HOME/local/NAME.env`, see settings.py). Their cost while nothing is broken is small.
"""
