"""One sensor's notifications into samples with times, and all sensors' into messages."""
