"""Mutation testing: what mutmut needs beside the tests, and what it found.

``nox -s mutation`` runs all of it; ``nox -s mutation -- 'deskim._rate.*'`` runs a part, without the score.
"""
