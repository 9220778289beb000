"""Results in InfluxDB 1.8 or 2: an outbox on disk, its forwarder, the written schema, and the way back."""
