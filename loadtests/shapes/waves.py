"""A load shape for locust: everybody comes at once, and goes again, wave after wave. Meant for ``ConnectStorm``.

    locust -f loadtests/locustfile.py,loadtests/shapes/waves.py --headless -u 200 -t 60 --host ... ConnectStorm

A shape that locust finds is used for the whole run, so this one has a file of its own.
"""

from __future__ import annotations

from locust import LoadTestShape

#: Of a wave, this part stays when it goes.
STAYS = 0.1


class Waves(LoadTestShape):
    """``--users`` users for half a period, then a tenth of them; until ``--run-time`` is over."""

    use_common_options = True
    #: Where the command line says nothing.
    users = 100
    seconds = 60.0
    #: Seconds from one wave to the next. Locust looks once a second.
    period = 4.0

    def tick(self) -> tuple[int, float] | None:
        options = self.runner.environment.parsed_options if self.runner is not None else None
        users = (options and options.num_users) or self.users
        seconds = (options and options.run_time) or self.seconds
        now = self.get_run_time()
        if now >= seconds:
            return None
        here = users if now % self.period < self.period / 2 else max(1, round(users * STAYS))
        return here, users
