"""The coordination service: who is on a timeline, and whose clock it is.

docs/coordination.md is for operators, docs/decisions/0008-epochs-by-compare-and-swap.md says why.
Only a time service that has a coordinator imports more than :mod:`.terms` of this; flask, waitress,
requests, kazoo and nats-py come with ``pip install 'jupiter-dispersed[coordination]'``.
"""
