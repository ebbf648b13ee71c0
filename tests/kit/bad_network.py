"""A network between a program and a server on this machine, which tests make bad: a TCP proxy.

Its manners: `through`; `cut` (connections are reset and refused); `silent` (nothing passes, nobody
is told); `deaf` (what the program says passes, the answers do not); `slow` (each answer is late).
"""

import selectors
import socket
import struct
import threading
import time

RESET = struct.pack("ii", 1, 0)
SLOW_SECONDS = 0.1


class BadNetwork:
    """Listens on a port of its own, and connects to `target`: a Unix socket's path, or a pair."""

    def __init__(self, target):
        self._target, self.manner = target, "through"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs, self._lock, self._ended = set(), threading.Lock(), False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def set(self, manner):
        """Behave so from now on."""
        self.manner = manner
        if manner == "cut":
            self._reset_all()

    def close(self):
        """End all connections, and listen no more."""
        self._ended = True
        self._reset_all()
        with socket.socket() as last:  # wakes up who accepts
            last.connect_ex(("127.0.0.1", self.port))
        self._thread.join(10)
        self._listener.close()

    def _accept(self):
        while not self._ended:
            ours, _ = self._listener.accept()
            if self._ended or self.manner == "cut":
                _reset(ours)
                continue
            threading.Thread(target=self._carry, args=(ours,), daemon=True).start()

    def _carry(self, ours):
        is_path = isinstance(self._target, str)
        theirs = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
        try:
            theirs.connect(self._target)
        except OSError:
            _reset(ours)
            theirs.close()
            return
        pair = (ours, theirs)
        with self._lock:
            self._pairs.add(pair)
        try:
            self._pass_on(ours, theirs)
        except OSError:
            pass
        finally:
            with self._lock:
                self._pairs.discard(pair)
            _reset(ours)
            theirs.close()

    def _pass_on(self, ours, theirs):
        with selectors.DefaultSelector() as selector:
            selector.register(ours, selectors.EVENT_READ, theirs)
            selector.register(theirs, selectors.EVENT_READ, ours)
            while not self._ended:
                for key, _ in selector.select(0.2):
                    self._wait_until_it_may_pass(key.fileobj is theirs)
                    part = key.fileobj.recv(65536)
                    if not part:
                        return
                    key.data.sendall(part)

    def _wait_until_it_may_pass(self, is_answer):
        if self.manner == "slow" and is_answer:
            time.sleep(SLOW_SECONDS)
        while self.manner == "silent" or (self.manner == "deaf" and is_answer):
            if self._ended:
                raise OSError
            time.sleep(0.01)

    def _reset_all(self):
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def _reset(one):
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except OSError:
        pass
    one.close()
