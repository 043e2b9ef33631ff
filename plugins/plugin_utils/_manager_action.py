# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the work of a module in Ansible's own process, if that has the same effect, and shows its progress."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import types
import typing as t
from collections.abc import Mapping

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._basis.errors import FolderError
from ..module_utils._basis.refusal import failed
from ..module_utils._basis.signals import leave_signals
from ..module_utils._basis.text import one_line, quoted
from ..module_utils._manager.progress import Progress
from ..module_utils._task.work import Result, Work, libraries_of
from ..module_utils._task.worker import run_in_worker

# Seconds before the first line. Tasks that end sooner need none.
_SOON = 5
# Seconds between two checks whether Ansible is still running.
_LOOK = 0.2


def _screen() -> int | None:
    """A descriptor of Ansible's standard error. After an interruption, Ansible no longer reads what workers send."""
    try:
        return os.dup(2)
    except OSError:
        return None


# Plugins are loaded before the workers start. Workers themselves no longer have Ansible's standard error.
_SCREEN = _screen()


class ManagerAction(ActionBase):
    """Does the work of the module with the same name here, if the module would run on this machine as this user.

    On another machine, as another user, or with C(async), it runs the module.
    """

    # The work of the module.
    work: t.ClassVar[Work[t.Any]]

    _supports_check_mode = True
    _supports_async = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # All that this plugin needs is loaded now, and lasts as long as Ansible, which would search it for garbage at its
        # end.
        gc.freeze()

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        """Do the work, or run the module."""
        result = super().run(tmp, task_vars)
        environment = self._environment() if self._would_run_here() else None
        if environment is None:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
            return result
        # This process ends with its task, so objects that exist already need no garbage collection.
        gc.freeze()
        internal: dict[str, t.Any] = {}
        self._update_module_args(self._task.action, internal, task_vars or {})
        try:
            with _ending_with_ansible(), _surroundings(environment, self._loader.get_basedir()):
                result.update(
                    run_in_worker(
                        self.work, self._task.action, self._task.args, internal, dict(os.environ), self._watch
                    )
                )
        except FolderError as error:
            result.update(failed=True, **failed(error))
        return result

    def _would_run_here(self) -> bool:
        """Whether a module would run on this machine as this user, and this Python has what it needs."""
        if self._task.async_val or self._connection.transport != "local" or self._becomes_another():
            return False
        return not any(libraries_of(self.work, self._task.args).values())

    def _becomes_another(self) -> bool:
        """Whether Ansible would use C(become) for the module. It does not if that changes nothing."""
        if not self._connection.become:
            return False
        here, there = self._get_remote_user(), self.get_become_option("become_user")
        return bool(C.BECOME_ALLOW_SAME_USER) or here != there or not here

    def _environment(self) -> dict[str, str] | None:
        """The C(environment) of task, block and play; None if only a shell can interpret it."""
        given: dict[str, t.Any] = {}
        self._compute_environment_string(given)
        environment = {str(name): str(value) for name, value in given.items()}
        usable = all(name and "=" not in name and "\0" not in name + value for name, value in environment.items())
        return environment if usable else None

    def _watch(self, progress: Progress, seconds: int) -> t.ContextManager[None]:
        return watched(self._task.action.rpartition(".")[2], progress, seconds)


@contextlib.contextmanager
def watched(name: str, progress: Progress, seconds: int) -> t.Iterator[None]:
    """Show a line every C(seconds) seconds, 0 for never, and what is left undone if the block is interrupted.

    C(name): the name of the module or inventory that runs.
    """
    ended = threading.Event()

    def show() -> None:
        leave_signals()
        wait = min(_SOON, seconds)
        while not ended.wait(wait):
            Display().display(f"{name}: {progress.line}", stderr=True)
            wait = seconds

    shows = threading.Thread(target=show, daemon=True)
    with _told_when_killed(lambda: f"{name}: {progress.interrupted}\n") as told:
        if seconds:
            shows.start()
        try:
            yield
        except Exception:
            raise
        except BaseException:
            # For example the task's timeout. If a signal's own handler has raised this, it was already shown.
            if not told.is_set():
                Display().display(f"{name}: {progress.interrupted}", stderr=True)
            raise
        finally:
            ended.set()
            if seconds:
                shows.join()


@contextlib.contextmanager
def _ending_with_ansible() -> t.Iterator[None]:
    """End this worker at once if the Ansible process that started it is gone, for example after SIGKILL.

    A worker has its own session, and would go on writing, unseen, beside the next run that the user starts.
    """
    ansible, ended = os.getppid(), threading.Event()

    def look() -> None:
        leave_signals()
        while not ended.wait(_LOOK):
            if os.getppid() != ansible:
                os._exit(1)

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


@contextlib.contextmanager
def _surroundings(environment: Mapping[str, str], folder: str) -> t.Iterator[None]:
    """Use the environment and the folder that a module would be started with, during the block."""
    before = {name: os.environ.get(name) for name in environment}
    here = _here()
    try:
        os.environ.update(environment)
        try:
            os.chdir(folder)
        except OSError as error:
            raise FolderError(
                f"the folder of the playbook, {quoted(folder)}, cannot be entered: {one_line(error.strerror)}"
            ) from None
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if here is not None:
            # If the old folder can no longer be entered, this process stays in the new one. It only runs this task.
            with contextlib.suppress(OSError):
                os.fchdir(here)
            os.close(here)


def _here() -> int | None:
    """The folder of this process, C(None) if it cannot be opened. Ansible may be started in any folder."""
    try:
        # Linux can also open a folder that may be entered but not read.
        return os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    except OSError:
        return None


@contextlib.contextmanager
def _told_when_killed(tell: t.Callable[[], str]) -> t.Iterator[threading.Event]:
    """Show a text if a signal ends the process, which then ends as usual. Yields an event: whether it was shown."""
    before: dict[int, t.Any] = {}
    told = threading.Event()
    telling = False

    def end(number: int, frame: types.FrameType | None) -> None:
        nonlocal telling
        if telling:
            # Ansible sends SIGTERM after SIGINT. The first of them ends the process, once the text is shown.
            return
        if not told.is_set():
            telling = True
            told.set()
            try:
                if _SCREEN is not None:
                    with contextlib.suppress(OSError):
                        os.write(_SCREEN, tell().encode())
            finally:
                telling = False
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, handler)
            os.kill(os.getpid(), number)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            # Only the main thread can handle signals. An ignored signal, as in a shell's background job, ends nothing.
            if threading.current_thread() is threading.main_thread() and handler not in (None, signal.SIG_IGN):
                before[number] = handler
                signal.signal(number, end)
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
