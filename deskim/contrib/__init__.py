"""Thin adapters to frameworks; each module needs the one that it is named after."""
