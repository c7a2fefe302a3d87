# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm, on raw sockets: the server closes or refuses, keeps answering others, and stays small."""

import os
import random
import socket
import struct
import time

import grpc
import pytest
from google.protobuf import wrappers_pb2 as pb
from programs import wait_for

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field without indexing or Huffman coding."""
    out = b"\x00"
    for text in (name.encode(), value.encode()):
        out += bytes([len(text)]) if len(text) < 127 else b"\x7f" + varint(len(text) - 127)
        out += text
    return out


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def request(path="/test.Echo/Now", extra=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
              ("content-type", "application/grpc"), ("te", "trailers"), *extra]
    return b"".join(literal(*field) for field in fields)


class Peer:
    def __init__(self, path, greet=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(20)
        if greet:
            self.send(PREFACE + frame(SETTINGS))

    def send(self, data):
        """Sends as much as the server takes; tells whether it took everything."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def rest(self):
        """Everything until the server closes."""
        out = b""
        try:
            while True:
                chunk = self.socket.recv(65536)
                if not chunk:
                    return out
                out += chunk
        except ConnectionError:
            return out

    def goodbye(self):
        """The error code of the GOAWAY the server closed with."""
        data = self.rest()
        code = None
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            if data[3] == 7:
                code = int.from_bytes(data[13:17], "big")
            data = data[9 + length:]
        return code

    def answer_ends(self, stream):
        """Whether the server ends the stream with trailers while it keeps the connection."""
        data = b""
        while chunk := self.socket.recv(65536):
            data += chunk
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                kind, flags, number = data[3], data[4], int.from_bytes(data[5:9], "big")
                if (kind, number) == (HEADERS, stream) and flags & END_STREAM:
                    return True
                data = data[9 + int.from_bytes(data[:3], "big"):]
        return False


@pytest.fixture(autouse=True)
def still_answers(echo):
    before = echo.rss()
    yield
    assert echo.is_running(), "the server crashed"
    with grpc.insecure_channel(f"unix:{echo.path}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary("/test.Echo/Unary", lambda m: m.SerializeToString(), pb.BytesValue.FromString)
        assert call(pb.BytesValue(value=b"hello"), timeout=60, wait_for_ready=True).value == b"hello"
    assert echo.rss() - before < 60_000, "the server grew"


def test_reset_flood(echo):
    peer = Peer(echo.path)
    head = request("/test.Echo/Sleep")
    for number in range(200):
        burst = b"".join(
            frame(HEADERS, head, END_HEADERS, 2 * n + 1) + frame(RST, b"\0\0\0\x08", 0, 2 * n + 1)
            for n in range(number * 100, number * 100 + 100))
        if not peer.send(burst):
            break
    assert peer.goodbye() == ENHANCE_YOUR_CALM


def test_ping_flood(echo):
    peer = Peer(echo.path)
    peer.send(frame(PING, b"12345678") * 20_000)
    assert peer.goodbye() == ENHANCE_YOUR_CALM


def test_settings_flood(echo):
    peer = Peer(echo.path)
    peer.send(frame(SETTINGS, b"\0\x04\0\0\x10\0") * 20_000)
    assert peer.goodbye() is not None


def test_continuation_flood(echo):
    peer = Peer(echo.path)
    peer.send(frame(HEADERS, request(), 0, 1))
    for _ in range(100_000):
        if not peer.send(frame(CONTINUATION, literal("x", "y" * 1000), 0, 1)):
            break
    assert peer.goodbye() is not None


def test_empty_continuation_flood(echo):
    peer = Peer(echo.path)
    peer.send(frame(HEADERS, request(), 0, 1) + frame(CONTINUATION, b"", 0, 1) * 100_000)
    assert peer.goodbye() is not None


def test_oversize_headers(echo):
    peer = Peer(echo.path)
    head = request(extra=[(f"key-{n}", "v" * 1000) for n in range(15)])
    peer.send(frame(HEADERS, head, END_HEADERS, 1))
    big = request(extra=[("big", "v" * 16_000), ("too", "v" * 100)])
    peer.send(frame(HEADERS, big, END_HEADERS, 3))
    assert peer.goodbye() is not None


def test_header_bomb(echo):
    """A table entry of 4 kB named again and again by one byte."""
    peer = Peer(echo.path)
    entry = b"\x40" + literal("bomb", "v" * 3900)[1:]
    peer.send(frame(HEADERS, request() + entry, END_HEADERS, 1))
    peer.send(frame(HEADERS, request() + b"\xbe" * 10_000, END_HEADERS, 3))
    assert peer.goodbye() is not None


def test_silence_is_not_for_ever(echo):
    peers = [Peer(echo.path, greet=False) for _ in range(50)]
    began = time.monotonic()
    for peer in peers:
        peer.rest()
    assert time.monotonic() - began < 15


def test_huge_announcements_cost_nothing(echo):
    before = echo.rss()
    peers = []
    for _ in range(20):
        peer = Peer(echo.path)
        for n in range(100):
            peer.send(frame(HEADERS, request("/test.Echo/Unary"), END_HEADERS, 2 * n + 1)
                      + frame(DATA, b"\0" + struct.pack(">I", 4 << 20) + b"x" * 10, 0, 2 * n + 1))
        peers.append(peer)
    time.sleep(1)
    assert echo.rss() - before < 40_000
    for peer in peers:
        peer.socket.close()


def test_unread_streams_cost_their_bound_only(echo):
    """Each stream sends what its window allows to a handler that reads nothing."""
    before = echo.rss()
    peer = Peer(echo.path)
    peer.socket.settimeout(3)
    sent = 0
    try:
        for n in range(2000):
            stream = 2 * n + 1
            peer.socket.sendall(frame(HEADERS, request("/test.Echo/Chat"), END_HEADERS, stream))
            block = b"\0" + struct.pack(">I", 60_000) + b"x" * 30_000
            for start in range(0, len(block), 16_000):
                peer.socket.sendall(frame(DATA, block[start:start + 16_000], 0, stream))
            sent += len(block)
    except OSError:
        pass
    time.sleep(1)
    assert echo.rss() - before < 50_000, f"after {sent} bytes"
    peer.socket.close()


def test_a_message_over_the_limit(echo):
    peer = Peer(echo.path)
    peer.send(frame(HEADERS, request(), END_HEADERS, 1) + frame(DATA, b"\0\xff\xff\xff\xff", 0, 1))
    assert peer.answer_ends(1)


def test_window_overflow(echo):
    peer = Peer(echo.path)
    peer.send(frame(WINDOW, b"\x7f\xff\xff\xff") * 2)
    assert peer.goodbye() is not None


def test_data_beyond_the_window(echo):
    peer = Peer(echo.path)
    peer.send(frame(HEADERS, request("/test.Echo/Chat"), END_HEADERS, 1))
    for _ in range(2000):
        if not peer.send(frame(DATA, b"\0" * 16_000, 0, 1)):
            break
    peer.socket.close()


def test_frames_on_streams_that_never_were(echo):
    for kind, payload in [(DATA, b"x"), (RST, b"\0\0\0\0"), (WINDOW, b"\0\0\0\x01"), (CONTINUATION, b"")]:
        peer = Peer(echo.path)
        peer.send(frame(kind, payload, 0, 99))
        assert peer.goodbye() is not None


@pytest.mark.parametrize("seed", range(40))
def test_noise(echo, seed):
    source = random.Random(seed)
    for greet in (False, True):
        peer = Peer(echo.path, greet)
        peer.send(source.randbytes(source.randrange(1, 5000)))
        for _ in range(30):
            peer.send(frame(source.randrange(12), source.randbytes(source.randrange(60)), source.randrange(256),
                            source.randrange(6)))
        peer.socket.close()


@pytest.mark.parametrize("seed", range(20))
def test_sound_frames_with_noise_for_messages(echo, seed):
    source = random.Random(seed)
    peer = Peer(echo.path)
    for n in range(50):
        path = source.choice(["Now", "Unary", "Sum", "Chat", "Count", "Fail", "Sleep"])
        body = source.randbytes(source.randrange(40))
        message = bytes([source.choice([0, 0, 0, 1, 7])]) + struct.pack(">I", source.choice([len(body), len(body), 3])) + body
        peer.send(frame(HEADERS, request(f"/test.Echo/{path}"), END_HEADERS, 2 * n + 1)
                  + frame(DATA, message, END_STREAM, 2 * n + 1))
    peer.socket.close()


def test_many_connections_come_and_go(echo):
    for _ in range(2000):
        Peer(echo.path, greet=random.random() < 0.5).socket.close()


def test_connections_torn_down_in_the_middle_of_calls(echo):
    for _ in range(100):
        peer = Peer(echo.path)
        for n in range(10):
            peer.send(frame(HEADERS, request("/test.Echo/Count"), END_HEADERS, 2 * n + 1)
                      + frame(DATA, b"\0\0\0\0\x04\x08\x80\x89\x7a", END_STREAM, 2 * n + 1))
        peer.socket.close()
    wait_for(lambda: len(os.listdir(f"/proc/{echo.process.pid}/fd")) < 60, "the connections to be let go")
