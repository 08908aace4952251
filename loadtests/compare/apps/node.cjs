// The application of the comparison on the official server, with its defaults: node node.cjs PORT
// With REDIS_URL in the environment it is one server of a cluster, by the official adapter.

const http = require("node:http");
const { Server } = require("socket.io");

async function adapter(url) {
  const { createClient } = require("redis");
  const { createAdapter } = require("@socket.io/redis-adapter");
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  await publisher.connect();
  await subscriber.connect();
  return createAdapter(publisher, subscriber);
}

async function serve(port) {
  const server = http.createServer();
  const url = process.env.REDIS_URL;
  const io = new Server(server, url ? { adapter: await adapter(url) } : {});
  io.on("connection", (socket) => {
    socket.on("echo", (text, acknowledge) => acknowledge(text));
    socket.on("tell everybody", (text) => io.emit("told", text));
  });
  server.listen(port, "127.0.0.1");
}

serve(Number(process.argv[2]));
