"""Jobs that mostly wait, beside each other: for modules whose tests would only wait one after the other."""

import concurrent.futures
import contextlib


@contextlib.contextmanager
def running(request, lanes, job):
    """Begins job(name) at once for all names that tests of this module are parametrized with; those of one lane run one
    after the other, beside the other lanes. What the context gives waits for the job of a name, and returns or raises
    what it did."""
    wanted = {item.callspec.params["name"] for item in request.session.items
              if item.module is request.module and hasattr(item, "callspec")}
    with contextlib.ExitStack() as stack:
        runs = {}
        for names in lanes:
            lane = concurrent.futures.ThreadPoolExecutor(1)
            stack.callback(lane.shutdown, cancel_futures=True)
            runs |= {name: lane.submit(job, name) for name in names if name in wanted}
        yield lambda name: runs[name].result()
