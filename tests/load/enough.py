"""A plug-in for locust (another ``-f``) that ends a run when what ``WANTED`` says was reported so often.

A run time would depend on how busy the machine is. ``WANTED`` is JSON: a list of type, name, times.
"""

import json
import os

import gevent
from locust import events

wanted = {(kind, name): times for kind, name, times in json.loads(os.environ["WANTED"])}


@events.init.add_listener
def init(environment, **_):
    def note(request_type, name, **_):
        if (request_type, name) in wanted:
            wanted[request_type, name] -= 1
            if all(times <= 0 for times in wanted.values()):
                wanted.clear()
                # After the next time that the CSV files are written: once a second.
                gevent.spawn_later(2.5, environment.runner.quit)

    environment.events.request.add_listener(note)
