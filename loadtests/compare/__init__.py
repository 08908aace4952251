"""This package, Flask-SocketIO and Node's socket.io with the same work, on the same machine, in turn.

**What is measured**: the CPU time, user and system, of the server's processes with all their threads, for each message
that its clients received (or connection, or round trip); and the memory for each connection. The kernel's work for the
server's own calls is in it. Each figure is of a fresh server. Before it is taken, the clients have worked for a while
that doesn't count, so that what is compiled while it runs is compiled. Servers take turns within each round, so that a
machine that gets slower gets slower for all, and the table has the medians. Each server has its defaults: what an
application would get, not what could be tuned.

**What is not measured**: waiting, throughput, several processes, TLS, proxies, or an application that does something.
The work of the clients and of Redis is not in it, nor that of the kernel on their side.

**The load** comes from one process that has a core to itself, as the server has. Every client has one message on its
way; it sends the next one when the answer is whole. In a broadcast only one client sends, and goes on when it has its
own message back. Whichever sockets are ready are read in one turn and answered at once, one ``send()`` each: a server
never finds two events of one client in one segment. How many clients it finds ready in one turn of its own loop depends
on ``--connections``, and on which of the two is waited for. It is the server if it is ``busy``, which is printed with
each figure, and near 100 % on a machine that does nothing else. A server that waits for its load finds few clients each
time, so that each costs it a little more: compare figures of busy servers.

**Nothing may be lost**: each acknowledgement and each delivery is compared, whole, with what has to come, and has to
come once. A server may swap messages that are on their way at the same time; how many is printed.

Needs Linux. ``make compare`` installs what is missing and runs it.
"""
