"""Durable Functions for the local host: the SDK's own replay over a history in SQLite.

Imitates what the Durable extension does, its rough edges included (docs/decisions/0006).
"""
