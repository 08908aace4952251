// node node_server.cjs PORT REDIS-URL ADAPTER NAME [OPTIONS]: an official server of a cluster that does what a test posts
// to /do; apps/cluster.py is the same with ours. Prints what went wrong inside Redis' client, and ends as Node does by default.
"use strict";

const http = require("node:http");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const { pack, unpack } = require("./wire.cjs");

const [port, redisUrl, adapter, name, options = "{}"] = process.argv.slice(2);
const ADAPTERS = {
  classic: (pub, sub) => require("@socket.io/redis-adapter").createAdapter(pub, sub),
  specific: (pub, sub) =>
    require("@socket.io/redis-adapter").createAdapter(pub, sub, { publishOnSpecificResponseChannel: true }),
  sharded: (pub, sub) => require("@socket.io/redis-adapter").createShardedAdapter(pub, sub),
  streams: (pub) => require("@socket.io/redis-streams-adapter").createAdapter(pub),
};
const NAMESPACES = ["/", "/chat", "/*?"];
const heard = [];

function operator(io, { namespace = "/", rooms = [], excepted = [] }) {
  const all = io.of(namespace);
  const found = rooms.length ? all.to(rooms) : all.compress(true);
  return excepted.length ? found.except(excepted) : found;
}

const operations = (io) => ({
  emit({ args, volatile = false, compress = true, ...whom }) {
    // compress() in `operator` is only there to have an operator: it would be on the wire.
    let found = io.of(whom.namespace ?? "/");
    if (whom.rooms?.length) found = found.to(whom.rooms);
    if (whom.excepted?.length) found = found.except(whom.excepted);
    if (volatile) found = found.volatile;
    if (!compress) found = found.compress(false);
    found.emit(...args);
  },
  emit_with_ack: ({ args, timeout, ...whom }) =>
    new Promise((resolve) =>
      operator(io, whom)
        .timeout(timeout * 1000)
        .emit(...args, (error, answers) => resolve({ complete: !error, answers }))
    ),
  fetch: async (whom) =>
    (await operator(io, whom).fetchSockets()).map((one) => ({
      id: one.id,
      rooms: [...one.rooms],
      data: one.data,
      url: one.handshake.url,
    })),
  servers: ({ namespace = "/" }) => io.of(namespace).adapter.serverCount(),
  all_rooms: async ({ namespace = "/" }) => [...(await io.of(namespace).adapter.allRooms())],
  join: ({ moved, ...whom }) => operator(io, whom).socketsJoin(moved),
  leave: ({ moved, ...whom }) => operator(io, whom).socketsLeave(moved),
  disconnect: ({ close = false, ...whom }) => operator(io, whom).disconnectSockets(close),
  data: ({ sid, data }) => void (io.of("/").sockets.get(sid).data = data),
  server_emit: ({ args, namespace = "/" }) => void io.of(namespace).serverSideEmit(...args),
  server_call: ({ args, namespace = "/" }) =>
    new Promise((resolve, reject) =>
      io.of(namespace).serverSideEmit(...args, (error, answers) => (error ? reject(error) : resolve(answers)))
    ),
  heard: () => heard,
});

async function main() {
  const pub = createClient({ url: redisUrl });
  const sub = pub.duplicate();
  for (const client of [pub, sub]) client.on("error", (error) => console.error("redis:", error));
  await Promise.all([pub.connect(), sub.connect()]);

  const server = http.createServer();
  const io = new Server(server, { adapter: ADAPTERS[adapter](pub, sub), ...JSON.parse(options) });
  const DO = operations(io);
  for (const namespace of NAMESPACES) {
    io.of(namespace).on("note", (...args) => heard.push([namespace, ...args]));
    io.of(namespace).on("ask", (...args) => args.pop()(args.length ? args[0] : name));
  }
  server.on("request", async (request, response) => {
    if (request.url.startsWith("/socket.io/")) return;
    if (!request.url.startsWith("/do")) return response.end("ready");
    let body = "";
    for await (const piece of request) body += piece;
    try {
      const operation = DO[new URL(request.url, "http://x").searchParams.get("operation")];
      response.end(JSON.stringify(pack((await operation(unpack(JSON.parse(body)))) ?? null)));
    } catch (error) {
      response.writeHead(500).end(String(error.stack));
    }
  });
  server.listen(Number(port), "127.0.0.1");
  process.on("SIGTERM", () => process.exit(0));
}

main();
