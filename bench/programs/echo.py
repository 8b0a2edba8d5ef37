"""The floor of a round trip: a child that reads a kibibyte from the inherited socket and writes four, and no more."""

import socket
import sys

if __name__ == "__main__":
    descriptor, request, reply = map(int, sys.argv[1:])
    answer = b"x" * reply
    with socket.socket(fileno=descriptor) as channel:
        buffer = bytearray(request)
        while channel.recv_into(buffer, request, socket.MSG_WAITALL) == request:
            channel.sendall(answer)
