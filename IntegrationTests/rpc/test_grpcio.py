# SPDX-License-Identifier: Apache-2.0
"""The RPC layer against grpcio, a foreign gRPC implementation."""

import os
import threading
import time

import grpc
import pytest
from google.protobuf import wrappers_pb2 as pb
from programs import wait_for

SERIALIZE = lambda message: message.SerializeToString()


def unary(channel, name, request, reply=pb.BytesValue, **options):
    call = channel.unary_unary(f"/test.Echo/{name}", SERIALIZE, reply.FromString)
    return call(request, **options)


def channel_to(path, **options):
    return grpc.insecure_channel(f"unix:{path}", options=list(options.items()))


@pytest.fixture
def channel(echo):
    with channel_to(echo.path) as channel:
        yield channel


class Handlers:
    """The server's handlers that may be cancelled: how many run, and how many were cancelled since."""

    def __init__(self, channel):
        self.channel = channel
        # Handlers of earlier tests must not be counted as this one's.
        wait_for(lambda: self.look()[0] == 0, "the end of earlier handlers")
        self.before = self.look()[1]

    def look(self):
        return tuple(map(int, unary(self.channel, "Handlers", pb.BytesValue(), pb.StringValue).value.split()))

    def wait_for_one(self):
        wait_for(lambda: self.look() == (1, self.before), "the handler to run")

    def wait_for_cancellation(self):
        wait_for(lambda: self.look() == (0, self.before + 1), "the handler to be cancelled")


@pytest.mark.parametrize("name", ["Now", "Unary"])
@pytest.mark.parametrize("size", [0, 1, 1000, 16384, 65531, 70000, 3_000_000])
def test_unary_echoes_every_size(channel, name, size):
    payload = os.urandom(size)
    assert unary(channel, name, pb.BytesValue(value=payload)).value == payload


def test_many_calls_at_once(channel):
    call = channel.unary_unary("/test.Echo/Unary", SERIALIZE, pb.BytesValue.FromString)
    futures = [call.future(pb.BytesValue(value=bytes([i % 256]) * 3000)) for i in range(2000)]
    assert all(f.result().value == bytes([i % 256]) * 3000 for i, f in enumerate(futures))


def test_many_large_calls_at_once(channel):
    call = channel.unary_unary("/test.Echo/Unary", SERIALIZE, pb.BytesValue.FromString)
    futures = [call.future(pb.BytesValue(value=bytes([i]) * 1_000_000)) for i in range(60)]
    assert all(f.result(timeout=60).value == bytes([i]) * 1_000_000 for i, f in enumerate(futures))


def test_the_caller_is_known(channel):
    pid, uid, gid, alive = unary(channel, "Who", pb.BytesValue(), pb.StringValue).value.split()
    assert (int(pid), int(uid), int(gid), alive) == (os.getpid(), os.getuid(), os.getgid(), "true")


def test_server_stream(channel):
    call = channel.unary_stream("/test.Echo/Count", SERIALIZE, pb.Int64Value.FromString)
    assert [n.value for n in call(pb.Int64Value(value=20_000))] == list(range(20_000))


def test_client_stream(channel):
    call = channel.stream_unary("/test.Echo/Sum", SERIALIZE, pb.Int64Value.FromString)
    assert call(pb.Int64Value(value=n) for n in range(10_000)).value == sum(range(10_000))


def test_empty_client_stream(channel):
    call = channel.stream_unary("/test.Echo/Sum", SERIALIZE, pb.Int64Value.FromString)
    assert call(iter([])).value == 0


def test_bidirectional_stream(channel):
    call = channel.stream_stream("/test.Echo/Chat", SERIALIZE, pb.BytesValue.FromString)
    sizes = [0, 10, 100_000, 3_000_000, 5] * 4
    replies = call(pb.BytesValue(value=b"x" * n) for n in sizes)
    assert [len(r.value) for r in replies] == sizes


def test_a_reader_that_stops_does_not_fill_the_server(echo, channel):
    """The client's core reads on for many megabytes meanwhile: all that time others must be heard."""
    handlers = Handlers(channel)
    before = echo.rss()
    with channel_to(echo.path, **{"grpc.use_local_subchannel_pool": 1}) as stalled:
        call = stalled.unary_stream("/test.Echo/Count", SERIALIZE, pb.Int64Value.FromString)
        replies = call(pb.Int64Value(value=50_000_000))
        next(replies)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert unary(channel, "Now", pb.BytesValue(value=b"x"), timeout=5).value == b"x"
        assert echo.rss() - before < 30_000
        replies.cancel()
        handlers.wait_for_cancellation()


def test_cancelling_stops_the_handler(channel):
    handlers = Handlers(channel)
    call = channel.unary_unary("/test.Echo/Sleep", SERIALIZE, pb.BytesValue.FromString)
    future = call.future(pb.Int64Value(value=60_000))
    handlers.wait_for_one()
    future.cancel()
    handlers.wait_for_cancellation()


def test_a_deadline_stops_the_handler(channel):
    handlers = Handlers(channel)
    with pytest.raises(grpc.RpcError) as failure:
        unary(channel, "Sleep", pb.Int64Value(value=60_000), timeout=0.3)
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    handlers.wait_for_cancellation()


def test_closing_the_channel_stops_the_handler(echo, channel):
    handlers = Handlers(channel)
    other = channel_to(echo.path, **{"grpc.use_local_subchannel_pool": 1})
    stream = other.unary_stream("/test.Echo/Count", SERIALIZE, pb.Int64Value.FromString)(pb.Int64Value(value=0))
    next(stream)
    other.close()
    handlers.wait_for_cancellation()


def test_status_message_and_details(channel):
    text = "100 % wrong: ünïcode\nand more"
    with pytest.raises(grpc.RpcError) as failure:
        unary(channel, "Fail", pb.StringValue(value=text))
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.value.details() == text
    rich = dict(failure.value.trailing_metadata())["grpc-status-details-bin"]
    assert b"google.protobuf.StringValue" in rich


@pytest.mark.parametrize(
    "path, text",
    [
        ("/test.Echo/Nothing", "unknown method Nothing for service test.Echo"),
        ("/test.Nobody/Nothing", "unknown service test.Nobody"),
    ],
)
def test_unknown_methods(channel, path, text):
    with pytest.raises(grpc.RpcError) as failure:
        channel.unary_unary(path, SERIALIZE, pb.BytesValue.FromString)(pb.BytesValue())
    assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert failure.value.details() == text


def test_too_large_a_message(channel):
    with pytest.raises(grpc.RpcError) as failure:
        unary(channel, "Now", pb.BytesValue(value=b"x" * 5_000_000))
    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert failure.value.details().startswith("grpc: received message larger than max (5000")
    assert failure.value.details().endswith(" vs. 4194304)")


def test_compressed_requests_are_refused(channel):
    with pytest.raises(grpc.RpcError) as failure:
        unary(channel, "Now", pb.BytesValue(value=b"x" * 10_000), compression=grpc.Compression.Gzip)
    assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert failure.value.details() == 'grpc: Decompressor is not installed for grpc-encoding "gzip"'


def test_bytes_that_are_no_message(channel):
    call = channel.unary_unary("/test.Echo/Now", lambda raw: raw, pb.BytesValue.FromString)
    with pytest.raises(grpc.RpcError) as failure:
        call(b"\xff\xff\xff\xff")
    assert failure.value.code() == grpc.StatusCode.INTERNAL
    assert unary(channel, "Now", pb.BytesValue(value=b"still here")).value == b"still here"


def test_pings_every_ten_milliseconds(echo):
    options = {
        "grpc.keepalive_time_ms": 10,
        "grpc.keepalive_timeout_ms": 5000,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.max_pings_without_data": 0,
        "grpc.http2.min_time_between_pings_ms": 10,
        "grpc.use_local_subchannel_pool": 1,
    }
    with channel_to(echo.path, **options) as channel:
        states = []
        channel.subscribe(states.append)
        assert unary(channel, "Sleep", pb.Int64Value(value=4000)) is not None
        time.sleep(2)
        assert unary(channel, "Now", pb.BytesValue(value=b"y")).value == b"y"
        assert grpc.ChannelConnectivity.TRANSIENT_FAILURE not in states


def test_a_thousand_cancelled_streams_leave_the_connection_usable(channel):
    call = channel.unary_stream("/test.Echo/Count", SERIALIZE, pb.Int64Value.FromString)
    for _ in range(1000):
        stream = call(pb.Int64Value(value=0))
        next(stream)
        stream.cancel()
    assert unary(channel, "Now", pb.BytesValue(value=b"z")).value == b"z"


def test_streams_from_many_threads(echo):
    failures = []

    def work():
        try:
            with channel_to(echo.path, **{"grpc.use_local_subchannel_pool": 1}) as channel:
                call = channel.unary_stream("/test.Echo/Count", SERIALIZE, pb.Int64Value.FromString)
                for _ in range(5):
                    assert sum(1 for _ in call(pb.Int64Value(value=1000))) == 1000
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
