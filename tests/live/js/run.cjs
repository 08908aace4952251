// node run.cjs <scenario> <url> [options as JSON]: runs one scenario with the official client, prints its result as one
// line of JSON on stdout. The option `parser` names a package that all clients use. A scenario that fails or takes too long prints what it knows on stderr and exits with 1.
"use strict";

const { Manager } = require("socket.io-client");
const { until } = require("./until.cjs");
const { pack } = require("./wire.cjs");

const SCENARIOS = {
  ...require("./connecting.cjs"),
  ...require("./data.cjs"),
  ...require("./deflate.cjs"),
  ...require("./msgpack.cjs"),
  ...require("./transports.cjs"),
  ...require("./v2.cjs"),
};
const TIMEOUT = 40_000;

// What a scenario works with: sockets that record everything from the first moment on.
class Bench {
  constructor(url, options) {
    this.url = url;
    this.options = options;
    this.parser = options.parser ? { parser: require(options.parser) } : {};
    this.sockets = [];
  }

  // `namespace` of a connection of its own; `reconnection` is off so that a fault cannot hide behind a second attempt.
  open(namespace = "/", { auth, ...options } = {}) {
    const manager = new Manager(this.url, {
      autoConnect: false,
      reconnection: false,
      rejectUnauthorized: false,
      ...this.parser,
      ...this.options.manager,
      ...options,
    });
    return this.share(manager, namespace, auth);
  }

  share(manager, namespace, auth) {
    const socket = manager.socket(namespace, { auth });
    socket.received = [];
    socket.onAny((...args) => socket.received.push(args.filter((arg) => typeof arg !== "function")));
    this.sockets.push(socket);
    socket.connect();
    return socket;
  }

  async connected(namespace, options) {
    const socket = this.open(namespace, options);
    await until(socket, "connect");
    return socket;
  }
}

async function main() {
  const [name, url, options = "{}"] = process.argv.slice(2);
  const bench = new Bench(url, JSON.parse(options));
  const overdue = setTimeout(() => {
    for (const socket of bench.sockets) {
      const { nsp, connected, id, received, io } = socket;
      const transport = io.engine?.transport?.name;
      console.error(JSON.stringify(pack({ nsp, connected, id, transport, received: received.slice(-20) })));
    }
    console.error(`${name}: not done within ${TIMEOUT} ms`);
    process.exit(1);
  }, TIMEOUT);
  const result = await SCENARIOS[name](bench, bench.options);
  clearTimeout(overdue);
  for (const socket of bench.sockets) socket.disconnect();
  process.stdout.write(JSON.stringify(pack(result)) + "\n");
  // What is still open (a hanging poll, a WebSocket that waits for its close) must not keep the runner.
  setTimeout(() => process.exit(0), 200).unref();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
