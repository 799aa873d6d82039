"""Faults on purpose: connections that break, messages that come twice, processes that are killed.

`python -m tests.faults.chaos` puts them together; `checker` says what an undisturbed run would have left.
"""
