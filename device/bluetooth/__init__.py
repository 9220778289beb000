"""Sensors found, connected and kept streaming; the only rooms that know bleak are this one and `radio`."""
