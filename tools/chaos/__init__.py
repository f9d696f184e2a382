# SPDX-License-Identifier: Apache-2.0
"""The chaos run: real services, faults drawn from a seed, and a proof afterwards.

    plan      which fault happens when: a pure function of the seed
    faults    makes them happen, and undoes them
    clients   start, watch, stop and retry; they write down what they asked and what they were told
    collect   afterwards: what Kafka, Postgres, Redis and the kernel say
    fold      the decision log folded once more, in another language than Weir's
    checker   a program of its own: reads what the others wrote and names every violation
    run       the order of all that

What is written lies in one folder (`history.jsonl`, `decisions.jsonl`, ...), and the checker needs
nothing else: a run can be judged again later, and a planted defect must be found (tests/tools).
"""
