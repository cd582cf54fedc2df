import time


def wait_until(predicate, timeout=10.0, what="the condition", interval=0.02):
    """Polls until `predicate` returns something true and returns it; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout} s; last value: {value!r}")
        time.sleep(interval)


def holds_for(predicate, seconds, what="the condition", interval=0.1):
    """Fails the test at the first moment within `seconds` at which `predicate` is false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert predicate(), f"{what} stopped to hold"
        time.sleep(interval)
