"""Jobs that mostly wait, beside each other: for modules whose tests would only wait one after the other."""

import concurrent.futures
import contextlib

from .agent import Agent


@contextlib.contextmanager
def running(request, lanes, job):
    """Begins job(name) at once for all names that tests of this module are parametrized with; those of one lane run one
    after the other, beside the other lanes. What the context gives waits for the job of a name, and returns or raises
    what it did."""
    asked = [item.callspec.params for item in request.session.items
             if item.module is request.module and hasattr(item, "callspec")]
    wanted = {parameters["name"] for parameters in asked if "name" in parameters}
    with contextlib.ExitStack() as stack:
        runs = {}
        for names in lanes:
            lane = concurrent.futures.ThreadPoolExecutor(1)
            stack.callback(lane.shutdown, cancel_futures=True)
            runs |= {name: lane.submit(job, name) for name in names if name in wanted}
        yield lambda name: runs[name].result()


def with_agent(directories, body):
    """A job that is body(name, agent), with an agent of its own in one of the directories that `directories` makes."""
    def job(name):
        agent = Agent(directories.mktemp("lane") / "project")
        try:
            return body(name, agent)
        except Exception as error:
            raise AssertionError(f"{error}\n--- its agent's log\n{agent.log[-4000:]}") from error
        finally:
            agent.close()

    return job
