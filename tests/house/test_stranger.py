"""The program in docs/wire.md, as printed there, is stored: a stranger needs that page and nothing else."""

import asyncio
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import paho.mqtt.client as mqtt
import pytest

from ingest.mqtt.embedded import EmbeddedBroker
from poise.cli import parts
from poise.cli.settings import BrokerPart, load
from poise.topics import Wearer

WIRE = Path(__file__).resolve().parents[2] / "docs" / "wire.md"
MESSAGES = 3


def program(port: int) -> str:
    """Return the page's program for this broker, three messages long and in a hurry."""
    found = re.search(r"```python\n(.*?)```", WIRE.read_text(), re.DOTALL)
    assert found
    text = found[1]
    for old, new in (("1883", str(port)), ("range(60)", f"range({MESSAGES})")):
        assert old in text
        text = text.replace(old, new)
    return text


async def test_the_printed_program_is_stored_sample_by_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", SimpleNamespace(packb=msgspec.msgpack.encode))
    async with EmbeddedBroker(0) as broker:
        port = broker.settings.port
        settings = load(data=tmp_path, broker=BrokerPart(port=port, embedded=True))
        async with parts.ingesting(settings, broker.settings) as (ingest, reader):
            await ingest.until_connected()
            names: dict[str, mqtt.Client] = {}
            await asyncio.to_thread(exec, program(port), names)
            until = time.monotonic() + 10
            while time.monotonic() < until:
                rows = await asyncio.to_thread(reader.ledger, Wearer("P-0142"))
                if rows and rows[0].stored == MESSAGES * 50:
                    break
                await asyncio.sleep(0.1)
            names["client"].disconnect()
            names["client"].loop_stop()
    assert [(row.sensor, row.segment, row.stored) for row in rows] == [("my-sensor", "c7", 150)]
