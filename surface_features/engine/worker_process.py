# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's side of one worker process: its pipes, its last words, and its end."""

from __future__ import annotations

import logging
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .interpreter import exit_sentence, last_line, refusal_sentence, start_python
from .wire import decode_message, encode_message

LOG_LINES = 200
log = logging.getLogger(__name__)


class WorkerProcess:
    """A started worker. Threads read its pipes, so that no method here ever waits for it.

    on_message: called from the reading thread with every message but heartbeats.
    on_exit: called from the reading thread, once, after the last message.
    """

    def __init__(
        self,
        python: Path | str,
        package_root: Path,
        options: Mapping[str, Any],
        env: Mapping[str, str] | None,
        on_message: Callable[[WorkerProcess, dict[str, Any]], None],
        on_exit: Callable[[WorkerProcess], None],
    ) -> None:
        self._python = python
        self._on_message = on_message
        self._on_exit = on_exit
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._refusal: dict[str, Any] | None = None
        self.answered = False
        self.said_bye = False
        self.quiet_ticks = 0  # counted up by the engine, set back by every message
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = start_python(python, package_root, options, env, **pipes)
        self._stderr_reader = self._thread(self._read_log, "log")
        self._thread(self._write, "requests")
        self._thread(self._read, "replies")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log_tail(self) -> str:
        """The last lines of the worker's stderr."""
        return "\n".join(self._log)

    def send(self, **message: Any) -> None:
        """Queue a message; one that can no longer be delivered is dropped, and the exit tells the rest."""
        self._outbox.put(encode_message(message))

    def terminate(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the process and wait until it is gone: politely, then not."""
        self._outbox.put(None)
        self.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def death_sentence(self) -> str:
        """Why the worker ended; only after `on_exit`."""
        if self._refusal is not None:
            return refusal_sentence(self._python, self._refusal)
        last_words = last_line(self.log_tail.encode())
        return exit_sentence(self._python, self._process.wait(), self.answered, last_words)

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"surface_features {name}", daemon=True)
        thread.start()
        return thread

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                message = decode_message(line, "event")
                if message is None:
                    log.info("ignored a line from the engine that is no message: %r", line[:200])
                    continue
                self.quiet_ticks = 0
                self._take(message)
        self._process.wait()
        self._stderr_reader.join(1.0)  # the last words come last
        self._outbox.put(None)
        self._on_exit(self)

    def _take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "hello":
            self.answered = True
        elif event == "bye":
            self.said_bye = True
        elif event == "refused":
            self._refusal = message
        elif event != "beat":
            try:
                self._on_message(self, message)
            except (KeyError, TypeError, ValueError):
                log.warning("ignored a message from the engine that makes no sense: %r", str(message)[:200])

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").rstrip()
                self._log.append(line)
                log.debug("engine: %s", line)

    def _write(self) -> None:
        assert self._process.stdin is not None
        pipe = self._process.stdin
        try:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()
        except OSError:
            log.debug("the engine closed its pipe")  # its exit is reported by the reading thread
        finally:
            try:
                pipe.close()
            except OSError:
                log.debug("the engine closed its pipe before it took everything")
