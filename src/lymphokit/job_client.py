"""Runs `python SCRIPT` in a fork of the job server: same folder, same variables, same streams.

Snakemake puts this file before the command of every job (`shell.prefix`). It imports little, so
that a job starts in a hundredth of a second. Without a server the command runs as it is.
"""

import os
import socket
import sys

ADDRESS = "LYMPHOKIT_JOB_SERVER"  # names the socket of the server


def main(command: list[str]) -> int:
    """Run a command; its exit code, unless this process becomes the command."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.environ[ADDRESS])
        except (KeyError, OSError):
            os.execv(command[0], command)
        return run_in_server(connection, command)


def run_in_server(connection: socket.socket, command: list[str]) -> int:
    """Run a command in the server at the other end; its exit code."""
    folder = os.getcwd()  # noqa: PTH109 - pathlib would double the time of the imports
    variables = [name + b"=" + value for name, value in os.environb.items()]
    # None of these texts can hold a zero byte.
    content = b"\0".join([*map(os.fsencode, (folder, str(len(command)), *command)), *variables])
    socket.send_fds(connection, [len(content).to_bytes(8)], [0, 1, 2])
    connection.sendall(content)
    code = connection.recv(1)  # empty where the server has ended
    return code[0] if code else os.EX_SOFTWARE


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # Ctrl-C ends the job, too
        sys.exit(130)
