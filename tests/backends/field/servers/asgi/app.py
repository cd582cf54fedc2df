import os
import threading
import time

time.sleep(float(os.environ.get("IMPORT_SECONDS", "0")))  # as an application of many modules takes
NEVER_RELEASED = threading.Lock()
NEVER_RELEASED.acquire()


async def app(scope, receive, send):
    """Calls that block are made on the event loop, as people do by mistake."""
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/block":
        NEVER_RELEASED.acquire()
    while scope["path"] == "/spin":
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": f"pid={os.getpid()}".encode()})
