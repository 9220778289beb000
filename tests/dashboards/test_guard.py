"""Strangers at the door: foreign names, foreign pages, on HTTP and on the socket alike."""

import asyncio

import pytest
from dashboards_fakes import FakeStore
from dashboards_house import free_port, open_house

from dashboards.serve import serve
from poise.errors import ConfigurationError

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport="


async def ask(port, path, *, host=None, origin=None, upgrade=False):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}"]
    if origin:
        lines.append(f"Origin: {origin}")
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
    else:
        lines.append("Connection: close")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    body = b"" if upgrade else await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head.lower(), body.decode(errors="replace")


@pytest.fixture
async def port():
    async with open_house(FakeStore()) as house:
        yield house.port


async def test_own_names_are_let_in(port):
    for name in ("127.0.0.1", "localhost", "[::1]"):
        host = f"{name}:{port}"
        assert (await ask(port, "/", host=host, origin=f"http://{host}"))[0] == 200
    status, _, _ = await ask(port, SOCKET + "websocket", origin=f"http://127.0.0.1:{port}", upgrade=True)
    assert status == 101


@pytest.mark.parametrize("path", ["/", "/person/home/P-0142", "/poise/poise.css", SOCKET + "polling"])
async def test_foreign_hosts_and_origins_are_refused_over_http(port, path):
    own = f"127.0.0.1:{port}"
    cases = [
        {"host": "evil.example"}, {"host": f"evil.example:{port}"}, {"host": "127.0.0.1"},
        {"host": f"127.0.0.1:{port + 1}"},
        {"host": f"127.0.0.1.evil.example:{port}"}, {"origin": "http://evil.example"}, {"origin": "null"},
        {"origin": f"https://{own}"}, {"origin": f"http://localhost:{port}"},
        {"origin": f"http://127.0.0.1:{port + 1}"},
    ]  # fmt: skip
    for case in cases:
        status, _, body = await ask(port, path, **case)
        assert status == 403, case
        assert body.startswith("Poise shows these pages only to a browser on this computer")


async def test_foreign_hosts_and_origins_are_refused_on_the_socket(port):
    for case in ({"host": f"evil.example:{port}"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert (await ask(port, SOCKET + "websocket", upgrade=True, **case))[0] == 403


async def test_two_hosts_are_one_too_many(port):
    assert (await ask(port, "/", host=f"127.0.0.1:{port}\r\nHost: evil.example"))[0] in (400, 403)


async def test_pages_carry_a_strict_policy_and_every_script_its_nonce(port):
    status, head, body = await ask(port, "/")
    assert status == 200
    policy = head.split("content-security-policy: ")[1].split("\r\n")[0]
    script = next(rule for rule in policy.split("; ") if rule.startswith("script-src"))
    assert "unsafe" not in script
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    for header in (
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "x-frame-options: deny",
    ):
        assert header in head
    assert body.count("<script") == body.count('<script nonce="') > 0
    assert "http://" not in body.replace("http://www.w3.org", "")
    assert "https://" not in body


async def test_every_page_gets_a_nonce_of_its_own(port):
    first, second = [(await ask(port, "/"))[2] for _ in range(2)]
    assert first.split('nonce="')[1][:22] != second.split('nonce="')[1][:22]


async def test_a_taken_port_and_a_public_address_are_said_in_a_sentence(port):
    with pytest.raises(ConfigurationError, match=f"Port {port} is taken"):
        await serve(None, "127.0.0.1", port)
    for host in ("0.0.0.0", "example.org", "192.168.1.5"):  # noqa: S104 - refused
        with pytest.raises(ConfigurationError, match="on this computer only"):
            await serve(None, host, free_port())
