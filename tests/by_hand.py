"""The rival of `benchmarks/live.py`: what a user would write by hand. `python by_hand.py PORT INFLUX_JSON`.

A paho callback for each message, one VQF call a sensor and message, a mean inclination a second, `Point`
objects in influxdb-client's batching mode. No gaps, no duplicates, no episodes, nothing kept of the samples.
"""

import json
import sys

import numpy as np
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from vqf import VQF

from poise.wire import decode_samples


def main(port: int, influx: dict[str, str]) -> None:
    client = InfluxDBClient(url=influx["url"], token=influx["token"], org=influx["org"])
    write = client.write_api()
    filters: dict[tuple[str, str], VQF] = {}

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        patient = message.topic.split("/")[4]
        for batch in decode_samples(message.payload).batches:
            vqf = filters.setdefault((patient, batch.segment), VQF(batch.period_ns * 1e-9))
            gyr, acc = np.ascontiguousarray(batch.gyr_si), np.ascontiguousarray(batch.acc_si)
            q = vqf.updateBatch(gyr, acc)["quat6D"]
            up = 1 - 2 * (q[:, 1] ** 2 + q[:, 2] ** 2)
            lean = np.degrees(np.arccos(np.clip(up, -1, 1)))
            seconds = batch.t_us // 1_000_000
            for second in np.unique(seconds):
                point = Point("by_hand").tag("patient", patient).tag("segment", batch.segment)
                point = point.field("lean", float(lean[seconds == second].mean()))
                write.write(influx["bucket"], record=point.time(int(second) * 10**9))

    mqtt = paho.Client(CallbackAPIVersion.VERSION2, "by hand")
    mqtt.on_message = on_message
    mqtt.on_connect = lambda c, *_: c.subscribe("poise/1/+/+/+/samples", 1)
    mqtt.connect("127.0.0.1", port)
    mqtt.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
