"""The wheels, built from the checkout, and an environment that has nothing else of it."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import ROOT

PROJECTS = (ROOT, ROOT / "bots")


def build(folder: Path) -> None:
    """Builds both wheels into a folder, with the build backend of this environment and without a network."""
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(folder)]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", *options, *map(str, PROJECTS)]
    subprocess.run(command, check=True, capture_output=True)


@dataclass
class Environment:
    """A virtual environment with installed wheels; it borrows their dependencies from this one."""

    folder: Path

    @classmethod
    def with_wheels(cls, folder: Path, wheels: Path) -> "Environment":
        environment = cls(folder)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        install = ["install", "--quiet", "--no-deps", "--no-index", *map(str, wheels.glob("*.whl"))]
        pip = [sys.executable, "-m", "pip", "--python", str(environment.program("python"))]
        subprocess.run([*pip, *install], check=True, capture_output=True)
        # A path in a .pth file is importable, but the .pth files in it aren't read: those of the checkout among them.
        borrowed = sysconfig.get_path("purelib")
        (environment.site_packages / "borrowed.pth").write_text(borrowed, "utf-8")
        return environment

    @property
    def site_packages(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name

    def run(self, *command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the environment to its end."""
        program, *arguments = command
        argv = [str(self.program(program)), *arguments]
        return subprocess.run(argv, cwd=cwd, env=self._variables(), capture_output=True, text=True, check=False)

    def start(self, *command: str, cwd: Path, output: Path, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Starts a program of the environment, with `more` environment variables."""
        program, *arguments = command
        argv, variables = [str(self.program(program)), *arguments], {**self._variables(), **more}
        with output.open("wb") as written:
            return subprocess.Popen(argv, cwd=cwd, env=variables, stdout=written, stderr=subprocess.STDOUT)

    def _variables(self) -> dict[str, str]:
        """This process's environment variables without those that would lead back to the checkout."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
