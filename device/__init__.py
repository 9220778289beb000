"""From the sensors to the spool: makers' bytes, clocks, Bluetooth, gateway; and the virtual wearer."""
