// Waiting, for scenarios.
"use strict";

// The arguments of the next `event`; an error to connect ends the wait.
function until(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, (...args) => resolve(args));
    if (event !== "connect_error") emitter.once("connect_error", reject);
  });
}

// When `socket` has received `event` at least `count` times: the arguments of each.
async function count(socket, event, least) {
  const found = () => socket.received.filter(([name]) => name === event).map(([, ...args]) => args);
  while (found().length < least) await new Promise((resolve) => socket.prependAny(once(socket, resolve)));
  return found();
}

function once(socket, resolve) {
  return function listener() {
    socket.offAny(listener);
    // The recorder runs after a listener that was put in front of it.
    setImmediate(resolve);
  };
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

module.exports = { until, count, pause };
