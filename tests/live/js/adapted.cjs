// The official server with one of the official Redis adapters: `node adapted.cjs KIND REDIS_URL`. Prints its port.
// A client names the rooms it joins in `auth.rooms`. Server events are told to the clients of this server as "heard".

const { createServer } = require("node:http");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const classic = require("@socket.io/redis-adapter");
const streams = require("@socket.io/redis-streams-adapter");

async function main(kind, url) {
  const client = createClient({ url });
  const second = client.duplicate();
  for (const each of [client, second]) {
    each.on("error", (error) => console.error(error));
    await each.connect();
  }
  const adapters = {
    classic: () => classic.createAdapter(client, second),
    sharded: () => classic.createShardedAdapter(client, second),
    streams: () => streams.createAdapter(client),
  };
  const httpServer = createServer();
  const io = new Server(httpServer, { adapter: adapters[kind](), serveClient: false });
  for (const namespace of [io, io.of("/chat")]) {
    namespace.on("connection", (socket) => socket.join(socket.handshake.auth.rooms ?? []));
    namespace.on("tick", (...args) => namespace.local.emit("heard", ...args));
  }
  httpServer.listen(0, "127.0.0.1", () => console.log(httpServer.address().port));
}

process.stdin.on("end", () => process.exit(0)).resume();
main(...process.argv.slice(2));
