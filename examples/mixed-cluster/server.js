// The Node half of one cluster of two languages. server.py is the other half and does the same.
//
//     node examples/mixed-cluster/server.js [PORT]
//
// REDIS_URL is where the two meet, by default redis://localhost:6379/0.
"use strict";

const { readFile } = require("node:fs/promises");
const { createServer } = require("node:http");
const path = require("node:path");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const NAME = "node";
const port = Number(process.argv[2] ?? 5001);
// What a client sends may be anything.
const text = (value) => (typeof value === "string" ? value.slice(0, 200) : "");

async function main() {
  const publisher = createClient({ url: process.env.REDIS_URL ?? "redis://localhost:6379/0" });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) {
    client.on("error", (error) => console.error("Redis:", error.message));
    await client.connect();
  }

  const server = createServer(async (request, response) => {
    if (request.url.split("?")[0] !== "/") return response.writeHead(404).end();
    const page = await readFile(path.join(__dirname, "public", "index.html"));
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
  });
  const io = new Server(server, { adapter: createAdapter(publisher, subscriber) });

  io.use((socket, next) => {
    const { name } = socket.handshake.auth;
    if (typeof name !== "string" || name.length < 1 || name.length > 24) {
      return next(new Error("A name of 1 to 24 characters, please."));
    }
    socket.data = { name, server: NAME };
    next();
  });

  io.on("connection", (socket) => {
    // An answer is computed, then sent; whatever fails must not end the process.
    const answer = (event, compute) =>
      socket.on(event, async (...args) => {
        const reply = args.pop();
        if (typeof reply !== "function") return;
        try {
          reply(await compute(...args));
        } catch (error) {
          console.error(event, error);
          reply({ error: event });
        }
      });

    // To everybody, whichever server they are at.
    socket.on("say", (said) => io.emit("said", { ...socket.data, text: text(said) }));

    // Everybody, of all servers.
    answer("who", async () => (await io.fetchSockets()).map((each) => ({ id: each.id, ...each.data })));

    // Ask one client, whichever server it is at, and give its answer to the one who asked.
    answer("nudge", async (id) => {
      const asked = io.to(text(id)).timeout(2000).emitWithAck("nudge", socket.data.name);
      const answers = await asked.catch(() => []); // who does not answer in time
      return { answer: answers[0] ?? null };
    });

    // Who the servers are: this one, and the answers of the others.
    answer("servers", async () => [NAME, ...(await io.serverSideEmitWithAck("name?"))]);

    // Something between servers: each of the others tells its own clients.
    socket.on("note", (said) => io.serverSideEmit("note", NAME, text(said)));
  });

  io.on("name?", (reply) => reply(NAME));
  io.on("note", (from, said) => io.local.emit("noted", { by: NAME, from, text: said }));

  server.listen(port, "127.0.0.1", () => console.log(`Node: http://127.0.0.1:${port}/  (Ctrl+C stops it)`));
}

main();
