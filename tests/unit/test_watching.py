"""Looking again and again: what was seen is kept, and a look that fails leaves a gap."""

import threading

from azrunbook import errors
from azrunbook.procedures import watching


def test_all_looks_go_on_until_stopped_and_failures_leave_gaps():
    """The second look of one fails; the other one's and the later ones are there."""
    counts = {"here": 0, "there": 0}
    enough = threading.Event()

    def look(name):
        def take():
            counts[name] += 1
            if (name, counts[name]) == ("here", 2):
                raise errors.ConnectError("the cluster is being stopped")
            if min(counts.values()) > 3:
                enough.set()
            return name, counts[name]

        return take

    watch = watching.Watch({name: look(name) for name in counts}, every_seconds=0.001)
    watch.start()
    assert enough.wait(20)
    seen = watch.stop()
    here = [number for name, number in seen if name == "here"]
    assert here[:2] == [1, 3]
    assert [number for name, number in seen if name == "there"][:3] == [1, 2, 3]
    counted = dict(counts)
    assert watch.stop() == seen
    assert counts == counted
