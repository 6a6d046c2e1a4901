"""Items that come late, for clients of the gateway who do not wait for them."""

import signal

import pytest
from remote import Serving

from hearth_process import wait_until
from http_gateway import Gateway, request


@pytest.fixture
def far_off():
    """A gateway, and a counter whose items are an hour off."""
    with Gateway("--insecure") as gateway, Serving(gateway.address, "counter") as serving:
        try:
            yield gateway
        finally:
            serving.process.kill()
            serving.process.wait()


def take_far_off(gateway):
    sock = gateway.socket()
    sock.sendall(request("POST", "/objects/counter/rare", "none", b"[3600.0]"))
    return sock


def test_who_hangs_up_on_items_gives_his_place_back(far_off):
    """His call had ended with the stream, so nothing ended the wait for the next item."""
    def status():
        return far_off.ask("GET", "/objects/counter/sum")[0]
    takers = [take_far_off(far_off) for _ in range(64)]  # limits::kHttpCallsMax
    wait_until(lambda: status() == 503, 10, "the last place's taking")
    for taker in takers:
        taker.close()
    wait_until(lambda: status() == 200, 15, "a place")


def test_a_gateway_ends_while_an_item_is_waited_for(far_off):
    """The thread that waited was joined for ever."""
    with take_far_off(far_off):
        wait_until(lambda: far_off.call("counter", "rare_is_asked"), 10, "the first item's making")
        far_off.process.send_signal(signal.SIGTERM)
        far_off.process.wait(timeout=5)
