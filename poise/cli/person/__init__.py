"""What a person at a terminal sees: sensors found, assigned, calibrated and worn."""
