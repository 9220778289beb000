"""MQTT: one connection that is kept up, the embedded broker, a clinic's broker, and whom to believe."""
