"""How much the machine has been waiting, from its own accounts."""


def cpu_stall_seconds():
    """Seconds so far in which at least one task of the host waited for a processor (/proc/pressure/cpu)."""
    with open("/proc/pressure/cpu", encoding="ascii") as file:
        some = file.readline()
    return int(some.rpartition("total=")[2]) / 1e6
