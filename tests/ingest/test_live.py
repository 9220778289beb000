"""Who looks at a wearer is sent every second: the page asks the gateway, and asks again."""

import asyncio
from pathlib import Path

import pytest

from device.gateway import Gateway
from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge
from ingest.live import MqttLiveFeed
from ingest.mqtt.settings import BrokerSettings
from poise.notices import Command, Live, Presence, Verb
from poise.topics import Leaf, Wearer

WEARER = Wearer("P-0001")
NOW_US = 1_790_000_000_000_000


def nobody(leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
    """Nobody listens to the announcements here."""


def gateway(spool: DiskSpool) -> Gateway:
    return Gateway(WEARER, {}, spool, nobody, message_s=10.0)


async def test_a_look_at_a_page_reaches_the_gateway(broker: BrokerSettings, tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    presence = Presence(
        state="online", gateway="g", session="s1", since_us=NOW_US, origin="simulated", program=""
    )
    bridge, heard = Bridge(broker, WEARER, spool, presence), asyncio.Queue[Command]()
    bridge.commanded = heard.put_nowait
    feed = MqttLiveFeed(broker, clock=lambda: NOW_US)
    running = [asyncio.create_task(part.run()) for part in (bridge, feed)]
    try:
        async with asyncio.timeout(20):
            for link in (bridge._link, feed._link):
                await link.until_connected()
            end = feed.watch(WEARER, lambda _live: None)
            command = await heard.get()
        end()
        assert (command.verb, command.until_us) == (Verb.WATCH, NOW_US + 60_000_000)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize(("asked_s", "given_s"), [(60, 60), (10**9, 900)])
async def test_the_gateway_looks_no_longer_than_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_s: int, given_s: int
) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    mine = gateway(spool)
    now_us = NOW_US
    monkeypatch.setattr(mine.commands, "_now_us", lambda: now_us)
    monkeypatch.setattr(mine, "_now_us", lambda: now_us)
    assert spool.longest_us == 10_000_000
    until_us = now_us + asked_s * 1_000_000
    assert await mine.commands.obey(Command(id="1", verb=Verb.WATCH, until_us=until_us, expires_us=until_us))
    assert spool.longest_us == 0
    mine._grow_again(now_us + given_s * 1_000_000 - 1)
    assert spool.longest_us == 0
    mine._grow_again(now_us + given_s * 1_000_000)
    assert spool.longest_us == 10_000_000


async def test_a_feed_hands_frames_to_who_watches(broker: BrokerSettings) -> None:
    feed, seen = MqttLiveFeed(broker), list[Live]()
    end = feed.watch(WEARER, seen.append)
    feed._hand_on(WEARER.topic(Leaf.LIVE), b"not a notice")
    end()
    assert not seen
