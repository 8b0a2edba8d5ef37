"""What a plugin's process begins with, and what holds it back: decided here, done by the worker before any plugin code.

calls      system calls by name, with their numbers on both machines
rules      which of them a plugin may make, and with which arguments
bpf        instructions of the program that the kernel runs on each call
filter     that program, made of the rules
profile    all that a worker is told of it: user, files, calls, limits
start      the command and environment that a worker begins with
"""
