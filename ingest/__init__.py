"""Broker to pipeline to store: what arrives is on disk before it is confirmed."""
