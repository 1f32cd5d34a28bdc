"""Plumbing that both services need: settings, logging, lifecycle, HTTP, metrics, connections."""
