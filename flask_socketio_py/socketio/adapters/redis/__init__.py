"""Redis as the bus of a cluster: the only package that imports redis.

Its modules build on each other: :mod:`.urls` says what a URL means, :mod:`.wire` is one connection, :mod:`.topology`
says to which server, :mod:`.home` and :mod:`.link` keep what belongs to one process and to one connection's fate. On
them stand the three that are used: :mod:`.publisher` sends, :mod:`.subscriber` hears channels, :mod:`.stream_reader`
reads streams; and :mod:`.blocking` sends from a process that serves nobody. None of them knows Socket.IO.
"""
