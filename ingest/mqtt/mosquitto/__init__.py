"""A clinic's Mosquitto: its folder, its certificates, and who may do what (docs/howto-clinic.md)."""
